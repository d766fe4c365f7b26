using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace Commerce.Core.Catalog;

/// <summary>
/// Products, coupons and events for administration and lists. Writes go to tables. Reads use SQL queries rather than mapped views,
/// because EF Core can write to a view with ExecuteUpdate. SQL migrations create the tables.
/// </summary>
sealed class CatalogDbContext(DbContextOptions<CatalogDbContext> options) : DbContext(options)
{
    public DbSet<ProductRow> ProductRows => Set<ProductRow>();

    public DbSet<CouponRow> CouponRows => Set<CouponRow>();

    public DbSet<EventRow> EventRows => Set<EventRow>();

    public IQueryable<Product> Products => Set<Product>();

    public IQueryable<Coupon> Coupons => Set<Coupon>();

    public IQueryable<EventView> Events => Set<EventView>();

    public IQueryable<EventCouponView> EventCoupons => Set<EventCouponView>();

    public IQueryable<EventProductView> EventProducts => Set<EventProductView>();

    /// <summary>
    /// The ids of a subquery, separated by commas, or null if there are none. The result has at most 1024 characters, enough for 50 ids
    /// of 19 digits.
    /// </summary>
    public static string JoinIds(long id) => throw new NotSupportedException("MySQL does it.");

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        configurationBuilder.Properties<DateTime>().HaveConversion<Utc>();
        configurationBuilder.Properties<HashSet<long>>().HaveConversion<Ids, SameIds>();
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<ProductRow>().ToTable("product");
        modelBuilder.Entity<CouponRow>().ToTable("coupon");
        modelBuilder.Entity<EventRow>().ToTable("event");
        modelBuilder.Entity<Product>().HasNoKey().ToSqlQuery("SELECT * FROM product");
        modelBuilder.Entity<Coupon>().HasNoKey().ToSqlQuery("SELECT * FROM coupon");
        modelBuilder.Entity<EventView>().HasNoKey().ToSqlQuery("SELECT * FROM event");
        modelBuilder.Entity<EventCouponView>().HasNoKey().ToSqlQuery("SELECT * FROM event_coupon");
        modelBuilder.Entity<EventProductView>().HasNoKey().ToSqlQuery("SELECT * FROM event_product");
        modelBuilder.HasDbFunction(((Func<long, string>)JoinIds).Method).HasName("GROUP_CONCAT").IsBuiltIn();

        foreach (var entity in modelBuilder.Model.GetEntityTypes())
        {
            foreach (var property in entity.GetProperties()) property.SetColumnName(SnakeCase(property.Name));
            if (entity.FindProperty(nameof(DefinitionRow.Version)) is { } version && entity.GetTableName() is not null) version.IsConcurrencyToken = true;
        }
    }

    static string SnakeCase(string name) =>
        string.Concat(name.Select((c, i) => char.IsUpper(c) ? $"{(i > 0 ? "_" : "")}{char.ToLowerInvariant(c)}" : c.ToString()));

    /// <summary>Marks times as UTC: the driver returns DATETIME values without a kind.</summary>
    sealed class Utc() : ValueConverter<DateTime, DateTime>(time => time.ToUniversalTime(), time => DateTime.SpecifyKind(time, DateTimeKind.Utc));

    sealed class Ids() : ValueConverter<HashSet<long>, string>(ids => IdSet.ToJson(ids), json => IdSet.Parse(json));

    /// <summary>Compares sets by reference. They are read-only, so their content never changes.</summary>
    sealed class SameIds() : ValueComparer<HashSet<long>>((a, b) => ReferenceEquals(a, b), ids => ids.Count);
}

INSERT IGNORE INTO coupon (id, name, discount, total_quantity, starts_at, ends_at) VALUES
  (1, 'Welcome: 5,000 won off', 5000, 1000, '2026-01-01', '2099-01-01'),
  (2, 'Flash sale: 30,000 won off', 30000, 100, '2026-01-01', '2099-01-01'),
  (3, 'New year: 10,000 won off', 10000, 500, '2098-12-31', '2099-01-01'),
  (4, 'Last season: 1,000 won off', 1000, 500, '2025-01-01', '2025-02-01');

INSERT IGNORE INTO product (id, name, price, stock) VALUES
  (1, 'Mechanical keyboard', 129000, 50),
  (2, 'Noise-cancelling headphones', 289000, 20),
  (3, 'Desk lamp', 45000, 200),
  (4, 'Limited sneakers', 199000, 5);

INSERT IGNORE INTO member (id, name, role) VALUES
  ('alice', 'Alice', 'MEMBER'), ('bob', 'Bob', 'MEMBER'), ('carol', 'Carol', 'MEMBER'), ('admin', 'Admin', 'ADMIN');

INSERT IGNORE INTO product_stock_audit (product_id, event_id, delta, reason) SELECT id, 'opening', stock, 'OPENING' FROM product WHERE id <= 4;

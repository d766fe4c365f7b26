using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Commerce.Tests.Unit.Architecture;

/// <summary>
/// The types that a type uses, in signatures and in code, including the compiler's types for lambdas and iterators.
/// </summary>
static class Dependencies
{
    /// <summary>Each type of an assembly with the types that it and its nested types use, by full name.</summary>
    public static ILookup<string, string> Of(System.Reflection.Assembly assembly)
    {
        using var module = ModuleDefinition.ReadModule(assembly.Location);
        return module.GetTypes().SelectMany(type => Used(type).SelectMany(Parts).Select(used => (Owner: Outermost(type), Used: used)))
            .Distinct().ToLookup(d => d.Owner, d => d.Used);
    }

    /// <summary>The types of an assembly with the texts in their code.</summary>
    public static ILookup<string, string> TextsOf(System.Reflection.Assembly assembly)
    {
        using var module = ModuleDefinition.ReadModule(assembly.Location);
        return module.GetTypes().SelectMany(type => type.Methods.Where(m => m.HasBody).SelectMany(m => m.Body.Instructions).Select(i => i.Operand).OfType<string>()
            .Select(text => (Owner: Outermost(type), Text: text))).ToLookup(t => t.Owner, t => t.Text);
    }

    /// <summary>The names of an assembly's types and of their members, except the compiler's own.</summary>
    public static IReadOnlyList<string> NamesIn(System.Reflection.Assembly assembly)
    {
        using var module = ModuleDefinition.ReadModule(assembly.Location);
        return [.. module.GetTypes().SelectMany(type => type.Methods.Select(m => m.Name).Concat(type.Fields.Select(f => f.Name)).Append(type.Name))
            .Where(name => !name.Contains('<', StringComparison.Ordinal)).Distinct()];
    }

    static IEnumerable<TypeReference?> Used(TypeDefinition type) =>
    [
        type.BaseType, .. type.Interfaces.Select(i => i.InterfaceType), .. type.Fields.Select(f => f.FieldType),
        .. type.CustomAttributes.Select(a => a.AttributeType), .. type.Methods.SelectMany(Signature),
        .. type.Methods.Where(m => m.HasBody).SelectMany(m => m.Body.Variables.Select(v => v.VariableType).Concat(m.Body.Instructions.SelectMany(Operand))),
    ];

    static IEnumerable<TypeReference> Signature(MethodReference method) => method.Parameters.Select(p => p.ParameterType).Append(method.ReturnType);

    static IEnumerable<TypeReference?> Operand(Instruction instruction) => instruction.Operand switch
    {
        TypeReference type => [type],
        MethodReference method => [method.DeclaringType, .. Signature(method), .. method is GenericInstanceMethod generic ? generic.GenericArguments : []],
        FieldReference field => [field.DeclaringType, field.FieldType],
        _ => [],
    };

    static IEnumerable<string> Parts(TypeReference? type) => type switch
    {
        null => [],
        GenericInstanceType generic => generic.GenericArguments.SelectMany(Parts).Append(Outermost(generic.ElementType)),
        TypeSpecification specification => Parts(specification.ElementType),
        GenericParameter => [],
        _ => [Outermost(type)],
    };

    static string Outermost(TypeReference type) => type.DeclaringType is { } declaring ? Outermost(declaring) : type.FullName;
}

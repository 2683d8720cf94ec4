/// The network that serves.
public struct ModelInfo: Sendable, Equatable {
    /// What people call it.
    public let name: String
    /// False for random weights, whose poses mean nothing.
    public let trained: Bool
    /// Width of the transformer.
    public let width: Int
    /// Depth of the transformer.
    public let depth: Int
    /// Attention heads of the transformer.
    public let heads: Int
    /// How the transformer blocks are stored: `float32`, `float16`, `int8` or `int4`.
    public let dtype: String
    /// What the weights' owners ask.
    public let licence: String
    /// Of the file, or the tensors, that they were made from, in hex.
    public let sourceSHA256: String

    init(from fields: MessageMap) throws(MalformedError) {
        name = try fields.required("name").string()
        trained = try fields.required("trained").bool()
        width = try fields.required("width").int()
        depth = try fields.required("depth").int()
        heads = try fields.required("heads").int()
        dtype = try fields.required("dtype").string()
        licence = try fields.required("licence").string()
        sourceSHA256 = try fields.required("source_sha256").string()
    }

    /// The model of a message, or nil where none is loaded.
    static func optional(in fields: MessageMap) throws(MalformedError) -> ModelInfo? {
        guard let field = try fields.required("model").orNil else { return nil }
        return try ModelInfo(from: field.map())
    }
}

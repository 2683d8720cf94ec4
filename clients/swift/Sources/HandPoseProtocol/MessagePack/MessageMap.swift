/// A map whose fields are asked for by name, in any order; those that nobody asks for are ignored.
package struct MessageMap {
    private let path: String
    private let values: [String: MessagePackValue]

    /// The map that fills a message's body.
    ///
    /// - Throws: when the bytes are no such map.
    package init(body: ArraySlice<UInt8>) throws(MalformedError) {
        self = try MessageField(path: "", value: MessagePackValue(decoding: body)).map()
    }

    init(path: String, fields: [MessagePackField]) throws(MalformedError) {
        self.path = path
        var values: [String: MessagePackValue] = [:]
        for field in fields where values.updateValue(field.value, forKey: field.name) != nil {
            throw MalformedError("\(Self.join(path, field.name)): occurs twice")
        }
        self.values = values
    }

    /// A field that is always there, although it may be nil.
    package func required(_ name: String) throws(MalformedError) -> MessageField {
        let fieldPath = Self.join(path, name)
        guard let value = values[name] else { throw MalformedError("\(fieldPath): missing") }
        return MessageField(path: fieldPath, value: value)
    }

    /// A field that may be left out; nil means the same.
    package func optional(_ name: String) -> MessageField? {
        values[name].flatMap { MessageField(path: Self.join(path, name), value: $0).orNil }
    }

    /// All fields, of a map from names to values of one kind.
    package func all<Value>(
        _ read: (MessageField) throws(MalformedError) -> Value
    ) throws(MalformedError) -> [String: Value] {
        var found: [String: Value] = [:]
        for (name, value) in values {
            found[name] = try read(MessageField(path: Self.join(path, name), value: value))
        }
        return found
    }

    private static func join(_ path: String, _ name: String) -> String {
        path.isEmpty ? name : "\(path).\(name)"
    }
}

/// What MessagePack can say on this wire: no extension types, and maps have strings for keys.
package enum MessagePackValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// An integer beyond `Int64.max`; no field of the protocol has one.
    case largeInteger(UInt64)
    case double(Double)
    case string(String)
    case binary([UInt8])
    case array([MessagePackValue])
    case map([MessagePackField])
}

/// One entry of a map.
package struct MessagePackField: Sendable, Equatable {
    package let name: String
    package let value: MessagePackValue

    package init(_ name: String, _ value: MessagePackValue) {
        self.name = name
        self.value = value
    }
}

extension MessagePackValue {
    /// The kind, for sentences about a wrong one.
    package var kind: String {
        switch self {
        case .null: "nil"
        case .bool: "bool"
        case .integer, .largeInteger: "integer"
        case .double: "float"
        case .string: "str"
        case .binary: "bin"
        case .array: "array"
        case .map: "map"
        }
    }
}

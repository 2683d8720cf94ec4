/// Reads one value out of bytes that anybody may have sent: any bytes give a value or an error, at a cost that is
/// bounded by their number.
struct MessagePackReader {
    /// Containers within containers; the protocol allows 64.
    static let maxDepth = 64
    /// Values in a message, all told. A reply has some hundreds; this many take a few megabytes.
    static let maxValues = 65_536

    private let bytes: ArraySlice<UInt8>
    private var position: Int
    private var depth = 0
    private var values = 0

    /// The one value that fills `bytes`.
    static func value(in bytes: ArraySlice<UInt8>) throws(MalformedError) -> MessagePackValue {
        var reader = MessagePackReader(bytes)
        let value = try reader.value()
        let excess = bytes.endIndex - reader.position
        guard excess == 0 else { throw MalformedError("expected nothing after the message, got \(excess) bytes") }
        return value
    }

    private init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    private mutating func value() throws(MalformedError) -> MessagePackValue {
        values += 1
        guard values <= Self.maxValues else { throw MalformedError("more than \(Self.maxValues) values") }
        let code = try integer(UInt8.self)
        switch code {
        case 0x00...0x7f: return .integer(Int64(code))
        case 0x80...0x8f: return try map(Int(code & 0x0f))
        case 0x90...0x9f: return try array(Int(code & 0x0f))
        case 0xa0...0xbf: return .string(try string(Int(code & 0x1f)))
        case 0xc0: return .null
        case 0xc2: return .bool(false)
        case 0xc3: return .bool(true)
        case 0xca: return .double(Double(Float(bitPattern: try integer(UInt32.self))))
        case 0xcb: return .double(Double(bitPattern: try integer(UInt64.self)))
        case 0xcc...0xd3: return try integer(code)
        case 0xe0...0xff: return .integer(Int64(Int8(bitPattern: code)))
        default: return try sized(code)
        }
    }

    private mutating func integer(_ code: UInt8) throws(MalformedError) -> MessagePackValue {
        switch code {
        case 0xcc: return .integer(Int64(try integer(UInt8.self)))
        case 0xcd: return .integer(Int64(try integer(UInt16.self)))
        case 0xce: return .integer(Int64(try integer(UInt32.self)))
        case 0xcf:
            let value = try integer(UInt64.self)
            return Int64(exactly: value).map { .integer($0) } ?? .largeInteger(value)
        case 0xd0: return .integer(Int64(try integer(Int8.self)))
        case 0xd1: return .integer(Int64(try integer(Int16.self)))
        case 0xd2: return .integer(Int64(try integer(Int32.self)))
        default: return .integer(try integer(Int64.self))
        }
    }

    /// What has its length in bytes of its own.
    private mutating func sized(_ code: UInt8) throws(MalformedError) -> MessagePackValue {
        switch code {
        case 0xc4: return .binary(Array(try take(Int(try integer(UInt8.self)))))
        case 0xc5: return .binary(Array(try take(Int(try integer(UInt16.self)))))
        case 0xc6: return .binary(Array(try take(Int(try integer(UInt32.self)))))
        case 0xd9: return .string(try string(Int(try integer(UInt8.self))))
        case 0xda: return .string(try string(Int(try integer(UInt16.self))))
        case 0xdb: return .string(try string(Int(try integer(UInt32.self))))
        case 0xdc: return try array(Int(try integer(UInt16.self)))
        case 0xdd: return try array(Int(try integer(UInt32.self)))
        case 0xde: return try map(Int(try integer(UInt16.self)))
        case 0xdf: return try map(Int(try integer(UInt32.self)))
        default: throw MalformedError("byte 0x\(String(code, radix: 16)) begins no value of this protocol")
        }
    }

    private mutating func array(_ count: Int) throws(MalformedError) -> MessagePackValue {
        try descend(entering: count, bytesEach: 1)
        defer { depth -= 1 }
        var elements: [MessagePackValue] = []
        elements.reserveCapacity(min(count, Self.maxValues))
        for _ in 0..<count { elements.append(try value()) }
        return .array(elements)
    }

    private mutating func map(_ count: Int) throws(MalformedError) -> MessagePackValue {
        try descend(entering: count, bytesEach: 2)
        defer { depth -= 1 }
        var fields: [MessagePackField] = []
        fields.reserveCapacity(min(count, Self.maxValues))
        for _ in 0..<count {
            let key = try value()
            guard case .string(let name) = key else { throw MalformedError("key: expected str, got \(key.kind)") }
            fields.append(MessagePackField(name, try value()))
        }
        return .map(fields)
    }

    /// One level down, unless that is too deep or there are not even the bytes for `count` elements.
    private mutating func descend(entering count: Int, bytesEach: Int) throws(MalformedError) {
        guard count * bytesEach <= left else { throw truncated(needing: count * bytesEach) }
        depth += 1
        guard depth <= Self.maxDepth else { throw MalformedError("nested deeper than \(Self.maxDepth)") }
    }

    private mutating func string(_ length: Int) throws(MalformedError) -> String {
        guard let text = String(validating: try take(length), as: UTF8.self) else {
            throw MalformedError("a str is not utf-8")
        }
        return text
    }

    private mutating func integer<Value: FixedWidthInteger>(_: Value.Type) throws(MalformedError) -> Value {
        let raw = try take(MemoryLayout<Value>.size)
        return raw.withUnsafeBytes { Value(bigEndian: $0.loadUnaligned(as: Value.self)) }
    }

    private mutating func take(_ count: Int) throws(MalformedError) -> ArraySlice<UInt8> {
        guard count <= left else { throw truncated(needing: count) }
        defer { position += count }
        return bytes[position..<position + count]
    }

    private var left: Int { bytes.endIndex - position }

    private func truncated(needing count: Int) -> MalformedError {
        MalformedError("truncated: expected \(count) more bytes, got \(left)")
    }
}

extension MessagePackValue {
    /// The one value that fills `bytes`.
    ///
    /// - Throws: for bytes that are cut short or followed by others, extension types, keys that are no strings, strings
    ///   that are not UTF-8, and more depth or values than any message has.
    package init(decoding bytes: ArraySlice<UInt8>) throws(MalformedError) {
        self = try MessagePackReader.value(in: bytes)
    }
}

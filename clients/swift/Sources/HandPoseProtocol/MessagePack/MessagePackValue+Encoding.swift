extension MessagePackValue {
    /// The canonical bytes: shortest integers and lengths, floats as float64, maps in their order.
    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    private func append(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes.append(0xc0)
        case .bool(let value): bytes.append(value ? 0xc3 : 0xc2)
        case .integer(let value): bytes.append(integer: value)
        case .largeInteger(let value): bytes.append(0xcf, bigEndian: value)
        case .double(let value): bytes.append(0xcb, bigEndian: value.bitPattern)
        case .string(let text): bytes.append(string: text)
        case .binary(let data):
            bytes.append(length: data.count, oneByte: 0xc4, twoBytes: 0xc5, fourBytes: 0xc6)
            bytes.append(contentsOf: data)
        case .array(let values):
            bytes.append(count: values.count, short: 0x90, twoBytes: 0xdc, fourBytes: 0xdd)
            for value in values { value.append(to: &bytes) }
        case .map(let fields):
            bytes.append(count: fields.count, short: 0x80, twoBytes: 0xde, fourBytes: 0xdf)
            for field in fields {
                bytes.append(string: field.name)
                field.value.append(to: &bytes)
            }
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ code: UInt8, bigEndian value: some FixedWidthInteger) {
        append(code)
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    fileprivate mutating func append(integer value: Int64) {
        switch value {
        case 0...0x7f: append(UInt8(value))
        case -32..<0: append(UInt8(bitPattern: Int8(value)))
        case 0...Int64(UInt8.max): append(0xcc, bigEndian: UInt8(value))
        case 0...Int64(UInt16.max): append(0xcd, bigEndian: UInt16(value))
        case 0...Int64(UInt32.max): append(0xce, bigEndian: UInt32(value))
        case 0...: append(0xcf, bigEndian: UInt64(value))
        case Int64(Int8.min)...: append(0xd0, bigEndian: Int8(value))
        case Int64(Int16.min)...: append(0xd1, bigEndian: Int16(value))
        case Int64(Int32.min)...: append(0xd2, bigEndian: Int32(value))
        default: append(0xd3, bigEndian: value)
        }
    }

    fileprivate mutating func append(string text: String) {
        let utf8 = text.utf8
        if utf8.count < 32 {
            append(0xa0 | UInt8(utf8.count))
        } else {
            append(length: utf8.count, oneByte: 0xd9, twoBytes: 0xda, fourBytes: 0xdb)
        }
        append(contentsOf: utf8)
    }

    fileprivate mutating func append(length: Int, oneByte: UInt8, twoBytes: UInt8, fourBytes: UInt8) {
        switch length {
        case ...Int(UInt8.max): append(oneByte, bigEndian: UInt8(length))
        case ...Int(UInt16.max): append(twoBytes, bigEndian: UInt16(length))
        default: append(fourBytes, bigEndian: UInt32(length))
        }
    }

    fileprivate mutating func append(count: Int, short: UInt8, twoBytes: UInt8, fourBytes: UInt8) {
        switch count {
        case ..<16: append(short | UInt8(count))
        case ...Int(UInt16.max): append(twoBytes, bigEndian: UInt16(count))
        default: append(fourBytes, bigEndian: UInt32(count))
        }
    }
}

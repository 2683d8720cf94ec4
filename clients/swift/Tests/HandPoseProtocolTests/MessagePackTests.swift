import HandPoseProtocol
import Testing

/// MessagePack alone: its forms, its limits, and bytes that are none.
@Suite struct MessagePackTests {
    private func read(_ bytes: [UInt8]) throws(MalformedError) -> MessagePackValue {
        try MessagePackValue(decoding: bytes[...])
    }

    @Test(
        "Integers are written in their shortest form, at every border",
        arguments: [
            (0, [0x00]), (127, [0x7f]), (128, [0xcc, 0x80]), (255, [0xcc, 0xff]), (256, [0xcd, 0x01, 0x00]),
            (65_535, [0xcd, 0xff, 0xff]), (65_536, [0xce, 0, 1, 0, 0]), (4_294_967_295, [0xce, 255, 255, 255, 255]),
            (4_294_967_296, [0xcf, 0, 0, 0, 1, 0, 0, 0, 0]),
            (Int64.max, [0xcf, 0x7f] + [UInt8](repeating: 255, count: 7)),
            (-1, [0xff]), (-32, [0xe0]), (-33, [0xd0, 0xdf]), (-128, [0xd0, 0x80]), (-129, [0xd1, 0xff, 0x7f]),
            (-32_768, [0xd1, 0x80, 0x00]), (-32_769, [0xd2, 0xff, 0xff, 0x7f, 0xff]),
            (-2_147_483_649, [0xd3, 255, 255, 255, 255, 0x7f, 255, 255, 255]),
            (Int64.min, [0xd3, 0x80] + [UInt8](repeating: 0, count: 7)),
        ] as [(Int64, [UInt8])])
    func integers(_ value: Int64, _ bytes: [UInt8]) throws {
        #expect(MessagePackValue.integer(value).encoded() == bytes)
        #expect(try read(bytes) == .integer(value))
    }

    @Test("An integer beyond Int64 is read, and is no field of the protocol")
    func largeInteger() throws {
        let bytes = [0xcf] + [UInt8](repeating: 0xff, count: 8)
        #expect(try read(bytes) == .largeInteger(.max))
        #expect(try read(bytes).encoded() == bytes)
        #expect(throws: MalformedError.self) { try MessageField(path: "id", value: .largeInteger(.max)).int() }
    }

    @Test(
        "Lengths take one, two and four bytes at their borders",
        arguments: [0, 15, 16, 31, 32, 255, 256, 65_535, 65_536])
    func lengths(_ count: Int) throws {
        let text = String(repeating: "a", count: count)
        let values: [MessagePackValue] = [
            .string(text), .binary([UInt8](repeating: 7, count: count)),
            .array([MessagePackValue](repeating: .null, count: min(count, 60_000))),
            .map((0..<min(count, 20_000)).map { MessagePackField("\($0)", .bool(true)) }),
        ]
        for value in values { #expect(try read(value.encoded()) == value) }
    }

    @Test(
        "A length that promises more than there is gives an error and no memory",
        arguments: [
            [0xc6, 255, 255, 255, 255], [0xdb, 255, 255, 255, 255, 0x61], [0xdd, 255, 255, 255, 255, 0xc0],
            [0xdf, 255, 255, 255, 255, 0xa0, 0xc0], [0xc4, 2, 1], [0xa1], [0x91], [0x81, 0xa0], [0xcb, 0, 0], [0xcf],
        ] as [[UInt8]])
    func truncated(_ bytes: [UInt8]) {
        let error = #expect(throws: MalformedError.self) { try read(bytes) }
        #expect(error?.description.hasPrefix("truncated") == true)
    }

    @Test("64 levels are read, 65 are not")
    func depth() throws {
        let nested = { (levels: Int) in [UInt8](repeating: 0x91, count: levels) + [0xc0] }
        _ = try read(nested(64))
        let error = #expect(throws: MalformedError.self) { try read(nested(65)) }
        #expect(error?.description == "nested deeper than 64")
        #expect(throws: MalformedError.self) { try read(nested(1_000_000)) }
    }

    @Test("A message has at most 65,536 values")
    func values() throws {
        let wide = { (count: UInt32) in
            [0xdd] + withUnsafeBytes(of: count.bigEndian) { Array($0) } + [UInt8](repeating: 0xc0, count: Int(count))
        }
        _ = try read(wide(65_535))
        #expect(throws: MalformedError("more than 65536 values")) { try read(wide(65_536)) }
    }

    @Test(
        "What is not of this protocol is refused",
        arguments: [
            [], [0xc1], [0xc7, 0, 0], [0xd4, 0, 0], [0xd8] + [UInt8](repeating: 0, count: 17), [0x81, 0x01, 0x02],
            [0xa2, 0xc3, 0x28], [0xa1, 0xff], [0xa3, 0xed, 0xa0, 0x80], [0xc0, 0xc0],
        ] as [[UInt8]])
    func refused(_ bytes: [UInt8]) {
        #expect(throws: MalformedError.self) { try read(bytes) }
    }

    @Test("A key that occurs twice is refused by name")
    func twice() {
        let bytes: [UInt8] = [0x82, 0xa2, 0x69, 0x64, 1, 0xa2, 0x69, 0x64, 2]
        #expect(throws: MalformedError("id: occurs twice")) { try MessageMap(body: bytes[...]) }
    }

    @Test("Floats come in both widths, and as integers; never NaN or infinite")
    func floats() throws {
        let field = { (value: MessagePackValue) in MessageField(path: "x", value: value) }
        #expect(try field(read([0xca, 0x3f, 0xc0, 0, 0])).double() == 1.5)
        #expect(try field(read([0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0])).double() == 1.5)
        #expect(try field(.integer(-3)).double() == -3)
        for number in [Double.nan, .infinity, -.infinity] {
            #expect(throws: MalformedError.self) { try field(.double(number)).double() }
        }
        #expect(throws: MalformedError("x: expected float, got bool")) { try field(.bool(true)).double() }
        #expect(throws: MalformedError("x: expected integer, got float")) { try field(.double(1)).int() }
        #expect(throws: MalformedError("x: expected bool, got integer")) { try field(.integer(1)).bool() }
    }
}

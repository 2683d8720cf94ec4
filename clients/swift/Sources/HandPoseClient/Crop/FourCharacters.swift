/// A four-character code as text, "420v" for example; as a number where it has others than printable ones.
func fourCharacters(_ code: UInt32) -> String {
    let bytes = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: code >> $0) }
    return bytes.allSatisfy { 0x20...0x7e ~= $0 } ? String(decoding: bytes, as: UTF8.self) : String(code)
}

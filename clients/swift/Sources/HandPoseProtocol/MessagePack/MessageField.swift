/// A value in a message, with its name for the sentence that says what is wrong with it.
package struct MessageField {
    /// Where it stands, such as `hands[0].keypoints`.
    package let path: String
    package let value: MessagePackValue

    package init(path: String, value: MessagePackValue) {
        self.path = path
        self.value = value
    }

    /// Nil where the message says nil.
    package var orNil: MessageField? { value == .null ? nil : self }

    package func map() throws(MalformedError) -> MessageMap {
        guard case .map(let fields) = value else { throw wrong("map") }
        return try MessageMap(path: path, fields: fields)
    }

    package func array() throws(MalformedError) -> [MessageField] {
        guard case .array(let values) = value else { throw wrong("array") }
        return values.enumerated().map { MessageField(path: "\(path)[\($0)]", value: $1) }
    }

    package func array(count: Int) throws(MalformedError) -> [MessageField] {
        let elements = try array()
        guard elements.count == count else {
            throw MalformedError("\(path): expected \(count) elements, got \(elements.count)")
        }
        return elements
    }

    package func strings() throws(MalformedError) -> [String] {
        try array().map { element throws(MalformedError) in try element.string() }
    }

    package func ints() throws(MalformedError) -> [Int] {
        try array().map { element throws(MalformedError) in try element.int() }
    }

    package func string() throws(MalformedError) -> String {
        guard case .string(let text) = value else { throw wrong("str") }
        return text
    }

    /// One of the words that an enumeration has for raw values.
    package func word<Word: RawRepresentable & CaseIterable>(
        _: Word.Type
    ) throws(MalformedError) -> Word where Word.RawValue == String {
        let text = try string()
        guard let word = Word(rawValue: text) else {
            let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw MalformedError("\(path): expected one of \(words), got \(text.debugDescription)")
        }
        return word
    }

    package func binary() throws(MalformedError) -> [UInt8] {
        guard case .binary(let data) = value else { throw wrong("bin") }
        return data
    }

    package func bool() throws(MalformedError) -> Bool {
        guard case .bool(let truth) = value else { throw wrong("bool") }
        return truth
    }

    package func int64() throws(MalformedError) -> Int64 {
        guard case .integer(let number) = value else { throw wrong("integer") }
        return number
    }

    package func int() throws(MalformedError) -> Int {
        Int(try int64())
    }

    /// A float in either width, or an integer; finite.
    package func double() throws(MalformedError) -> Double {
        let number: Double
        switch value {
        case .double(let float): number = float
        case .integer(let integer): number = Double(integer)
        case .largeInteger(let integer): number = Double(integer)
        default: throw wrong("float")
        }
        guard number.isFinite else { throw MalformedError("\(path): expected a finite float, got \(number)") }
        return number
    }

    private func wrong(_ expected: String) -> MalformedError {
        MalformedError("\(path): expected \(expected), got \(value.kind)")
    }
}

import HandPoseClient
import HandPoseProtocol

/// What is wrong with the command line; printed with the usage.
struct UsageError: Error {
    let message: String
}

/// The command line: one command, its operands, and options of the form `--name value`.
struct Arguments {
    private(set) var operands: [String] = []
    private var options: [String: String] = [:]

    init(_ words: [String], options names: Set<String>) throws(UsageError) {
        var words = words[...]
        while let word = words.popFirst() {
            guard word.hasPrefix("--") else {
                operands.append(word)
                continue
            }
            guard names.contains(word) else { throw UsageError(message: "\(word): no such option") }
            guard let value = words.popFirst() else { throw UsageError(message: "\(word): expected a value") }
            options[word] = value
        }
    }

    subscript(option: String) -> String? { options[option] }

    /// An option whose value is numbers with commas between them.
    func numbers(_ option: String, count: Int) throws(UsageError) -> [Double]? {
        guard let text = options[option] else { return nil }
        let numbers = text.split(separator: ",").compactMap { Double($0) }
        guard numbers.count == count else {
            throw UsageError(message: "\(option): expected \(count) numbers with commas between them, got \(text)")
        }
        return numbers
    }

    func side() throws(UsageError) -> Side {
        guard let side = Side(rawValue: options["--side"] ?? "") else {
            throw UsageError(message: "--side: expected left or right")
        }
        return side
    }
}

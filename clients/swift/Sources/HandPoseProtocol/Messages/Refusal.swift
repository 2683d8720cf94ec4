/// The daemon's answer that it will not do what it was asked.
public struct Refusal: Error, Sendable, Equatable {
    /// Why; stable.
    public let code: ErrorCode
    /// A sentence for people; of a bad field it says the name, what was expected and what came.
    public let message: String
    /// Whether the same request may succeed a moment later.
    public let retryable: Bool
    /// The protocol versions that the daemon speaks; with `unsupportedVersion` only.
    public let supportedVersions: ClosedRange<Int>?

    init(from fields: MessageMap) throws(MalformedError) {
        code = try fields.required("code").word(ErrorCode.self)
        message = try fields.required("message").string()
        retryable = try fields.required("retryable").bool()
        supportedVersions = try fields.optional("protocol")?.versions()
    }
}

extension MessageField {
    /// Lowest and highest version.
    func versions() throws(MalformedError) -> ClosedRange<Int> {
        let ends = try array(count: 2)
        let (lowest, highest) = (try ends[0].int(), try ends[1].int())
        guard lowest <= highest else {
            throw MalformedError("\(path): expected the lowest version first, got \(lowest), \(highest)")
        }
        return lowest...highest
    }
}

/// Bytes that are no message of this protocol.
public struct MalformedError: Error, Equatable, CustomStringConvertible {
    /// Which field is wrong, what was expected there, and what came.
    public let description: String

    package init(_ description: String) {
        self.description = description
    }
}

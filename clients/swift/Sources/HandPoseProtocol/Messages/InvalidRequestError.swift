/// A request that the daemon would refuse, noticed before it was sent.
public struct InvalidRequestError: Error, Equatable, CustomStringConvertible {
    /// Which field is wrong, what was expected there, and what it is.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Accepts nil and any number within a range.
func require<Number: Comparable>(
    _ field: String, _ value: Number?, in range: ClosedRange<Number>
) throws(InvalidRequestError) {
    guard let value, !range.contains(value) else { return }
    let wanted = "a number from \(range.lowerBound) to \(range.upperBound)"
    throw InvalidRequestError("\(field): expected \(wanted), got \(value)")
}

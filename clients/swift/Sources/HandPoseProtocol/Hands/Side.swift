/// The person's own hand, as seen in an image that is not mirrored.
public enum Side: String, Sendable, CaseIterable, Codable {
    /// The left hand.
    case left
    /// The right hand.
    case right
}

/// The 21 key points of a hand, in the order of `HandPose.keypoints` (OpenPose's): the wrist, then each finger from its
/// base to its tip.
public enum Joint: Int, Sendable, CaseIterable, Codable {
    /// The wrist.
    case wrist
    /// The thumb's base, its two joints, and its tip.
    case thumbCMC, thumbMCP, thumbIP, thumbTip
    /// The index finger's knuckle, its two joints, and its tip.
    case indexMCP, indexPIP, indexDIP, indexTip
    /// The middle finger's knuckle, its two joints, and its tip.
    case middleMCP, middlePIP, middleDIP, middleTip
    /// The ring finger's knuckle, its two joints, and its tip.
    case ringMCP, ringPIP, ringDIP, ringTip
    /// The little finger's knuckle, its two joints, and its tip.
    case littleMCP, littlePIP, littleDIP, littleTip

    /// The name on the wire, such as `index_tip`.
    public var name: String { Self.names[rawValue] }

    /// The joint that its bone comes from, towards the wrist; nil for the wrist.
    public var parent: Joint? {
        switch self {
        case .wrist: nil
        case .thumbCMC, .indexMCP, .middleMCP, .ringMCP, .littleMCP: .wrist
        default: Joint(rawValue: rawValue - 1)
        }
    }

    private static let names =
        ["wrist"] + ["cmc", "mcp", "ip", "tip"].map { "thumb_\($0)" }
        + ["index", "middle", "ring", "little"].flatMap { finger in
            ["mcp", "pip", "dip", "tip"].map { "\(finger)_\($0)" }
        }
}

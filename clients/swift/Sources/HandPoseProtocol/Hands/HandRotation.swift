/// MANO's 16 rotations, in MANO's order, which is not that of the key points: little comes before ring, the thumb last.
public enum HandRotation: Int, Sendable, CaseIterable, Codable {
    /// The whole hand, relative to the camera: `Mano.globalOrient`.
    case wrist
    /// The index finger's rotations, from its knuckle outwards.
    case indexMCP, indexPIP, indexDIP
    /// The middle finger's rotations, from its knuckle outwards.
    case middleMCP, middlePIP, middleDIP
    /// The little finger's rotations, from its knuckle outwards.
    case littleMCP, littlePIP, littleDIP
    /// The ring finger's rotations, from its knuckle outwards.
    case ringMCP, ringPIP, ringDIP
    /// The thumb's rotations, from its base outwards.
    case thumbCMC, thumbMCP, thumbIP

    /// The key point about which it turns.
    public var joint: Joint {
        switch self {
        case .wrist: .wrist
        case .indexMCP: .indexMCP
        case .indexPIP: .indexPIP
        case .indexDIP: .indexDIP
        case .middleMCP: .middleMCP
        case .middlePIP: .middlePIP
        case .middleDIP: .middleDIP
        case .littleMCP: .littleMCP
        case .littlePIP: .littlePIP
        case .littleDIP: .littleDIP
        case .ringMCP: .ringMCP
        case .ringPIP: .ringPIP
        case .ringDIP: .ringDIP
        case .thumbCMC: .thumbCMC
        case .thumbMCP: .thumbMCP
        case .thumbIP: .thumbIP
        }
    }

    /// The name on the wire, such as `index_mcp`: that of its key point.
    public var name: String { joint.name }

    /// The rotation that it is relative to; nil for the wrist's, which is relative to the camera.
    public var parent: HandRotation? {
        guard let parentJoint = joint.parent else { return nil }
        return Self.allCases.first { $0.joint == parentJoint }
    }
}

/// The part of a pose that a reply may have; events always have all that their topic has.
public enum PosePart: String, Sendable, CaseIterable {
    /// The 21 key points.
    case keypoints
    /// The 778 vertices.
    case vertices
    /// The cameras, and the key points in the image.
    case camera
    /// MANO's parameters.
    case mano
}

/// Width and height of an image, px.
public struct ImageSize: Sendable, Equatable {
    /// From left to right, px.
    public var width: Int
    /// From top to bottom, px.
    public var height: Int

    /// A size.
    public init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }
}

/// The lens of a camera, in pixels of the whole image.
public struct Intrinsics: Sendable, Equatable {
    /// Focal length across, px.
    public var fx: Double
    /// Focal length down, px.
    public var fy: Double
    /// Principal point from the left, px.
    public var cx: Double
    /// Principal point from the top, px.
    public var cy: Double

    /// A lens.
    public init(fx: Double, fy: Double, cx: Double, cy: Double) {
        self.fx = fx
        self.fy = fy
        self.cx = cx
        self.cy = cy
    }
}

/// A frame whose hands are to be estimated.
public struct EstimateRequest: Sendable, Equatable {
    /// The camera or detector that the frame comes from; names its events. 1 to 64 printable characters.
    public var source: String
    /// The frame's number at its source; may skip.
    public var frame: Int
    /// When the frame was taken, ns on the host's monotonic clock. Of two frames of a source that wait, the later wins.
    public var capturedAtNs: Int64
    /// 1 to 8 crops.
    public var hands: [HandCrop]
    /// The answer is worthless when the frame is older than this, ms; nil: never.
    public var deadlineMs: Double?
    /// Whether subscribers get an event too.
    public var publish: Bool
    /// The parts that the reply shall have; nil: all.
    public var want: [PosePart]?
    /// Size of the whole image; needed, with the crops' boxes, for the whole-image camera.
    public var imageSize: ImageSize?
    /// The camera's lens; nil: a guess from the image's size.
    public var intrinsics: Intrinsics?
    /// The image is a mirrored (selfie) one. The answer is of the scene itself: side and x reflected.
    public var mirrored: Bool

    /// A request; see the properties.
    public init(
        source: String, frame: Int, capturedAtNs: Int64, hands: [HandCrop], deadlineMs: Double? = nil,
        publish: Bool = true, want: [PosePart]? = nil, imageSize: ImageSize? = nil, intrinsics: Intrinsics? = nil,
        mirrored: Bool = false
    ) {
        self.source = source
        self.frame = frame
        self.capturedAtNs = capturedAtNs
        self.hands = hands
        self.deadlineMs = deadlineMs
        self.publish = publish
        self.want = want
        self.imageSize = imageSize
        self.intrinsics = intrinsics
        self.mirrored = mirrored
    }
}

extension EstimateRequest {
    /// Throws what the daemon would refuse, in much the words that it uses.
    package func check() throws(InvalidRequestError) {
        try checkSource(source)
        try require("frame", frame, in: 0...WireLimits.maxInteger)
        try require("captured_at_ns", capturedAtNs, in: 0...Int64.max)
        guard 1...WireLimits.maxHands ~= hands.count else {
            throw InvalidRequestError("hands: expected 1 to \(WireLimits.maxHands), got \(hands.count)")
        }
        for (index, hand) in hands.enumerated() { try hand.check("hands[\(index)]") }
        try require("deadline_ms", deadlineMs, in: 0...WireLimits.maxDeadlineMs)
        if let count = want?.count, count > PosePart.allCases.count {
            throw InvalidRequestError("want: expected at most \(PosePart.allCases.count) parts, got \(count)")
        }
        try require("image_size", imageSize?.width, in: 1...WireLimits.maxImageSidePx)
        try require("image_size", imageSize?.height, in: 1...WireLimits.maxImageSidePx)
        try intrinsics?.check()
        if mirrored, imageSize == nil, hands.contains(where: { $0.box != nil }) {
            throw InvalidRequestError(
                "image_size: expected with box in a mirrored image, whose other side lies there, got none")
        }
    }

    func fields() -> [MessagePackField] {
        var fields = [
            MessagePackField("source", .string(source)),
            MessagePackField("frame", .integer(Int64(frame))),
            MessagePackField("captured_at_ns", .integer(capturedAtNs)),
            MessagePackField("hands", .array(hands.map(\.encodable))),
        ]
        fields.append("deadline_ms", deadlineMs.map { .double($0) })
        fields.append("publish", publish ? nil : .bool(false))
        fields.append("want", want.map { .array($0.map { .string($0.rawValue) }) })
        fields.append("image_size", imageSize.map { .array([.integer(Int64($0.width)), .integer(Int64($0.height))]) })
        fields.append("intrinsics", intrinsics.map { .array([$0.fx, $0.fy, $0.cx, $0.cy].map { .double($0) }) })
        fields.append("mirrored", mirrored ? .bool(true) : nil)
        return fields
    }
}

extension Intrinsics {
    fileprivate func check() throws(InvalidRequestError) {
        let (focal, most) = (1...WireLimits.maxFocalPx, WireLimits.maxCoordinatePx)
        try require("intrinsics[0]", fx, in: focal)
        try require("intrinsics[1]", fy, in: focal)
        try require("intrinsics[2]", cx, in: -most...most)
        try require("intrinsics[3]", cy, in: -most...most)
    }
}

/// Throws for a source that no frame may have.
package func checkSource(_ source: String) throws(InvalidRequestError) {
    let length = source.unicodeScalars.count
    guard 1...WireLimits.maxSourceLength ~= length else {
        throw InvalidRequestError("source: expected 1 to \(WireLimits.maxSourceLength) characters, got \(length)")
    }
    guard source.unicodeScalars.allSatisfy(\.isPrintable) else {
        throw InvalidRequestError("source: expected printable characters, got \(source.debugDescription)")
    }
}

extension Unicode.Scalar {
    fileprivate var isPrintable: Bool {
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned: false
        case .spaceSeparator, .lineSeparator, .paragraphSeparator: self == " "
        default: true
        }
    }
}

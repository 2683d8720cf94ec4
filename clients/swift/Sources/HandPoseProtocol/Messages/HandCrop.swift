/// The pixels of a crop, as they travel.
public enum CropImage: Sendable, Equatable {
    /// 196,608 bytes: 256 x 256 pixels of R, G, B, row by row from the top, not mirrored.
    case rgb([UInt8])
    /// A JPEG file of 256 x 256 pixels, a baseline one.
    case jpeg([UInt8])
    /// A PNG file of 256 x 256 pixels with at most 8 bits a channel.
    case png([UInt8])
}

/// The square that a crop was cut from, in pixels of the whole image, from its top left.
public struct CropBox: Sendable, Equatable {
    /// Centre, from the left, px.
    public var centreX: Double
    /// Centre, from the top, px.
    public var centreY: Double
    /// Side, px.
    public var side: Double

    /// A square.
    public init(centreX: Double, centreY: Double, side: Double) {
        self.centreX = centreX
        self.centreY = centreY
        self.side = side
    }
}

/// One hand of a frame, as the detector cut it out.
public struct HandCrop: Sendable, Equatable {
    /// The pixels, as the camera saw them: a left hand's are not mirrored.
    public var image: CropImage
    /// The hand that the detector believes it sees.
    public var side: Side
    /// How sure it is of the side, 0 to 1; nil when it does not say. Handed on.
    public var sideScore: Double?
    /// How sure it is of the hand, 0 to 1; nil when it does not say. Handed on.
    public var score: Double?
    /// The square that was cut. Nil: the answer has no whole-image camera and no 2-D points.
    public var box: CropBox?
    /// The detector's number for this hand over time; nil when it does not track. Handed on.
    public var track: Int?

    /// A hand to be sent.
    public init(
        _ image: CropImage, side: Side, sideScore: Double? = nil, score: Double? = nil, box: CropBox? = nil,
        track: Int? = nil
    ) {
        self.image = image
        self.side = side
        self.sideScore = sideScore
        self.score = score
        self.box = box
        self.track = track
    }
}

extension HandCrop {
    func check(_ path: String) throws(InvalidRequestError) {
        try image.check("\(path).crop")
        try require("\(path).side_score", sideScore, in: 0...1)
        try require("\(path).score", score, in: 0...1)
        try require("\(path).track", track, in: 0...WireLimits.maxInteger)
        let most = WireLimits.maxCoordinatePx
        try require("\(path).box[0]", box?.centreX, in: -most...most)
        try require("\(path).box[1]", box?.centreY, in: -most...most)
        try require("\(path).box[2]", box?.side, in: 1...most)
    }

    var encodable: MessagePackValue {
        var fields = [MessagePackField("crop", image.encodable), MessagePackField("side", .string(side.rawValue))]
        fields.append("side_score", sideScore.map { .double($0) })
        fields.append("score", score.map { .double($0) })
        fields.append("box", box.map { .array([.double($0.centreX), .double($0.centreY), .double($0.side)]) })
        fields.append("track", track.map { .integer(Int64($0)) })
        return .map(fields)
    }
}

extension CropImage {
    fileprivate func check(_ path: String) throws(InvalidRequestError) {
        switch self {
        case .rgb(let pixels):
            guard pixels.count == WireLimits.cropBytes else {
                throw InvalidRequestError(
                    "\(path): expected \(WireLimits.cropBytes) bytes (256 x 256 x 3 RGB), got \(pixels.count)")
            }
        case .jpeg(let file), .png(let file):
            try require("\(path).data", file.count, in: 1...WireLimits.cropBytes)
        }
    }

    fileprivate var encodable: MessagePackValue {
        switch self {
        case .rgb(let pixels): .binary(pixels)
        case .jpeg(let file): .compressed("jpeg", file)
        case .png(let file): .compressed("png", file)
        }
    }
}

extension MessagePackValue {
    fileprivate static func compressed(_ codec: String, _ file: [UInt8]) -> MessagePackValue {
        .map([MessagePackField("codec", .string(codec)), MessagePackField("data", .binary(file))])
    }
}

extension [MessagePackField] {
    /// An optional field: a canonical writer leaves out what is absent.
    mutating func append(_ name: String, _ value: MessagePackValue?) {
        if let value { append(MessagePackField(name, value)) }
    }
}

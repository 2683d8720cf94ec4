import HandPoseProtocol

/// A detector's box around a hand, in pixels of the image from its top left. It may leave the image.
public struct DetectionBox: Sendable, Equatable {
    /// Left edge, px.
    public var x1: Double
    /// Top edge, px.
    public var y1: Double
    /// Right edge, px.
    public var x2: Double
    /// Bottom edge, px.
    public var y2: Double

    /// A box.
    public init(x1: Double, y1: Double, x2: Double, y2: Double) {
        self.x1 = x1
        self.y1 = y1
        self.x2 = x2
        self.y2 = y2
    }
}

extension DetectionBox {
    private static let farthestPx = 1e6

    /// The square to cut, whose side is `rescale` times the box's longer side; checked to be a real one.
    func square(rescale: Double) throws(HandPoseError) -> CropBox {
        guard rescale.isFinite, rescale > 0 else {
            throw HandPoseError(.invalidRequest, "rescale: expected a positive number, got \(rescale)")
        }
        guard [x1, y1, x2, y2].allSatisfy(\.isFinite), x1 < x2, y1 < y2 else {
            throw HandPoseError(.invalidRequest, "box: expected x1 < x2 and y1 < y2, all finite, got \(self)")
        }
        let square = CropBox(centreX: (x1 + x2) / 2, centreY: (y1 + y2) / 2, side: rescale * max(x2 - x1, y2 - y1))
        guard max(abs(square.centreX), abs(square.centreY)) + square.side / 2 <= Self.farthestPx else {
            throw HandPoseError(
                .invalidRequest, "box: expected a cut within \(Self.farthestPx) pixels of the image, got \(self)")
        }
        return square
    }
}

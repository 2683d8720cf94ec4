import Foundation
import HandPoseClient
import TestSupport
import Testing

@testable import HandPoseClient

/// The crop rule, against the Python client's `make_crop` and by itself.
@Suite(.timeLimit(.minutes(10))) struct CropTests {
    private struct Picture: Decodable {
        let width: Int
        let height: Int
    }

    private struct Cut: Decodable {
        let box: [Double]
    }

    private static let boxes = [
        DetectionBox(x1: 272, y1: 165, x2: 360, y2: 275),
        DetectionBox(x1: 100.3, y1: 50.7, x2: 131.9, y2: 90.2),
        DetectionBox(x1: -30, y1: 180, x2: 60, y2: 330),
        DetectionBox(x1: 60, y1: 20, x2: 500, y2: 380),
        DetectionBox(x1: -300, y1: -200, x2: 900, y2: 700),
        DetectionBox(x1: -20_000, y1: -20_000, x2: 20_000, y2: 20_000),
        DetectionBox(x1: 900, y1: 0, x2: 950, y2: 40),
    ]

    @Test(
        "A crop is Python's to within rounding, for both sides",
        .enabled(if: Repository.hasDaemon, "make setup makes .venv"))
    func sameAsPython() throws {
        let folder = try TemporaryFolder()
        let file = folder.file("picture.rgb")
        let size = try PythonProcess.peer(Picture.self, ["blobs", file])
        let image = try RGBImage(pixels: bytes(of: file), width: size.width, height: size.height)
        for (index, box) in Self.boxes.enumerated() {
            let side: Side = index.isMultiple(of: 2) ? .right : .left
            let numbers = [box.x1, box.y1, box.x2, box.y2].map { "\($0)" }
            let place = [file, "\(size.width)", "\(size.height)"]
            let cut = try PythonProcess.peer(
                Cut.self, ["crop"] + place + numbers + [side.rawValue, folder.file("crop.rgb")])
            let crop = try HandCrop(cutFrom: image, box: box, side: side)
            let difference = meanDifference(try pixels(crop), try bytes(of: folder.file("crop.rgb")))
            print("\(box), \(side): mean difference \(difference) of 255")
            #expect(difference < 0.1, "\(box)")
            #expect([crop.box?.centreX, crop.box?.centreY, crop.box?.side] == cut.box)
        }
    }

    @Test("Where nothing is resized, a crop is the image's own pixels with the box's centre in its column")
    func centre() throws {
        let image = try noise(width: 400, height: 300)
        for (side, column) in [(Side.right, 128), (.left, 127)] {
            let crop = try HandCrop(
                cutFrom: image, box: DetectionBox(x1: 136, y1: 86, x2: 264, y2: 214), side: side, rescale: 2)
            let rows = (0..<256).flatMap { row -> ArraySlice<UInt8> in
                let first = 3 * ((150 - 128 + row) * 400 + 200 - column)
                return image.pixels[first..<first + 768]
            }
            #expect(try pixels(crop) == rows)
            #expect(crop.side == side && crop.box == CropBox(centreX: 200, centreY: 150, side: 256))
        }
    }

    @Test("What lies outside the image is black, and only that")
    func outside() throws {
        let white = try RGBImage(pixels: [UInt8](repeating: 255, count: 30_000), width: 100, height: 100)
        let crop = try pixels(
            HandCrop(cutFrom: white, box: DetectionBox(x1: -64, y1: -64, x2: 64, y2: 64), side: .right, rescale: 2))
        for row in 0..<256 {
            for column in 0..<256 {
                let inside = 128..<228 ~= row && 128..<228 ~= column
                guard crop[3 * (256 * row + column)] == (inside ? 255 : 0) else {
                    Issue.record("row \(row), column \(column)")
                    return
                }
            }
        }
    }

    @Test("An image of one pixel fills a tiny box with its colour")
    func onePixel() throws {
        let image = try RGBImage(pixels: [9, 80, 200], width: 1, height: 1)
        let box = DetectionBox(x1: -0.001, y1: -0.001, x2: 0.001, y2: 0.001)
        let crop = try pixels(HandCrop(cutFrom: image, box: box, side: .left))
        #expect(crop[3 * (256 * 100 + 100)..<3 * (256 * 100 + 101)] == [9, 80, 200])
    }

    @Test("A box or an image that is none is refused by name")
    func refused() throws {
        let image = try noise(width: 9, height: 9)
        for box in [
            DetectionBox(x1: 5, y1: 1, x2: 5, y2: 9), DetectionBox(x1: 1, y1: 9, x2: 5, y2: 1),
            DetectionBox(x1: 1, y1: 1, x2: .nan, y2: 5), DetectionBox(x1: 1, y1: 1, x2: .infinity, y2: 5),
            DetectionBox(x1: 0, y1: 0, x2: 1e6, y2: 1e6),
        ] {
            expectInvalid("box: expected") { try HandCrop(cutFrom: image, box: box, side: .left) }
        }
        for rescale in [0, -2.5, .nan] {
            expectInvalid("rescale: expected") {
                try HandCrop(
                    cutFrom: image, box: DetectionBox(x1: 1, y1: 1, x2: 5, y2: 5), side: .left, rescale: rescale)
            }
        }
        for (width, height) in [(0, 0), (3, 4), (-1, -9), (.max, .max)] {
            expectInvalid("image: expected") { try RGBImage(pixels: [1, 2, 3], width: width, height: height) }
        }
    }

    @Test("A pixel format is told by its four characters, or its number")
    func pixelFormats() {
        #expect(fourCharacters(0x3432_3076) == "420v" && fourCharacters(0x4247_5241) == "BGRA")
        #expect(fourCharacters(32) == "32")
    }

    private func expectInvalid(_ start: String, _ body: () throws -> some Any) {
        let error = #expect(throws: HandPoseError.self) { _ = try body() }
        #expect(error?.code == .invalidRequest)
        #expect(error?.message.hasPrefix(start) == true)
    }
}

func noise(width: Int, height: Int) throws -> RGBImage {
    var random = SeededGenerator(seed: UInt64.random(in: .min ... .max))
    print("noise of seed \(random.seed)")
    let pixels = (0..<3 * width * height).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    return try RGBImage(pixels: pixels, width: width, height: height)
}

/// Random numbers that can be had again (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    init(seed: UInt64) {
        (self.seed, state) = (seed, seed)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// The bytes of a raw crop.
func pixels(_ crop: HandCrop) throws -> [UInt8] {
    guard case .rgb(let pixels) = crop.image else { throw NeverError(what: "a raw crop") }
    return pixels
}

func meanDifference(_ one: [UInt8], _ other: [UInt8]) -> Double {
    guard one.count == other.count else { return .infinity }
    let sum = zip(one, other).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
    return Double(sum) / Double(one.count)
}

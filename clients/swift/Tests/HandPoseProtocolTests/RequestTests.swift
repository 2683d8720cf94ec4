import HandPoseProtocol
import Testing

/// A request that the daemon would refuse is noticed before it is sent, and the sentence names the field.
@Suite struct RequestTests {
    private static let pixels = [UInt8](repeating: 7, count: WireLimits.cropBytes)

    private func request(_ change: (inout EstimateRequest) -> Void) -> Request {
        var request = EstimateRequest(
            source: "cam", frame: 1, capturedAtNs: 1, hands: [HandCrop(.rgb(Self.pixels), side: .right)])
        change(&request)
        return .estimate(request)
    }

    private func expectRefused(_ field: String, _ change: (inout EstimateRequest) -> Void) {
        let error = #expect(throws: InvalidRequestError.self) { try request(change).encoded(id: 1) }
        #expect(error?.description.hasPrefix("\(field): expected") == true, "\(error?.description ?? "")")
    }

    @Test("Limits themselves are accepted")
    func limits() throws {
        _ = try request { request in
            request.source = String(repeating: "é", count: WireLimits.maxSourceLength)
            request.frame = WireLimits.maxInteger
            request.capturedAtNs = .max
            request.deadlineMs = WireLimits.maxDeadlineMs
            request.want = []
            request.imageSize = ImageSize(width: 1, height: WireLimits.maxImageSidePx)
            request.intrinsics = Intrinsics(fx: 1, fy: WireLimits.maxFocalPx, cx: -1_048_576, cy: 1_048_576)
            request.hands = [HandCrop](
                repeating: HandCrop(
                    .rgb(Self.pixels), side: .left, sideScore: 0, score: 1,
                    box: CropBox(centreX: -1_048_576, centreY: 1_048_576, side: 1), track: WireLimits.maxInteger),
                count: WireLimits.maxHands)
        }.encoded(id: WireLimits.maxInteger)
    }

    @Test("One beyond a limit is refused by name")
    func beyond() {
        expectRefused("source") { $0.source = "" }
        expectRefused("source") { $0.source = String(repeating: "x", count: 65) }
        for character in ["\u{0}", "\n", "\u{200b}", "\u{a0}", "\u{2028}", "\u{e000}"] {
            expectRefused("source") { $0.source = "a\(character)b" }
        }
        expectRefused("frame") { $0.frame = -1 }
        expectRefused("frame") { $0.frame = WireLimits.maxInteger + 1 }
        expectRefused("captured_at_ns") { $0.capturedAtNs = -1 }
        expectRefused("hands") { $0.hands = [] }
        expectRefused("hands") { $0.hands = [HandCrop](repeating: $0.hands[0], count: 9) }
        for deadline in [-0.5, .nan, .infinity, 60_000.5] { expectRefused("deadline_ms") { $0.deadlineMs = deadline } }
        expectRefused("want") { $0.want = [PosePart](repeating: .mano, count: 5) }
        expectRefused("image_size") { $0.imageSize = ImageSize(width: 0, height: 1) }
        expectRefused("image_size") { $0.imageSize = ImageSize(width: 1, height: 65_537) }
        expectRefused("intrinsics[1]") { $0.intrinsics = Intrinsics(fx: 1, fy: 0.5, cx: 0, cy: 0) }
        expectRefused("intrinsics[3]") { $0.intrinsics = Intrinsics(fx: 1, fy: 1, cx: 0, cy: .nan) }
        expectRefused("image_size") { request in
            request.mirrored = true
            request.hands[0].box = CropBox(centreX: 1, centreY: 1, side: 9)
        }
    }

    @Test("A wrong crop is refused with its number")
    func crops() {
        expectRefused("hands[0].crop") { $0.hands[0].image = .rgb([7]) }
        expectRefused("hands[0].crop.data") { $0.hands[0].image = .png([]) }
        expectRefused("hands[0].crop.data") { $0.hands[0].image = .jpeg(Self.pixels + [0]) }
        expectRefused("hands[0].score") { $0.hands[0].score = -.ulpOfOne }
        expectRefused("hands[0].side_score") { $0.hands[0].sideScore = 1.5 }
        expectRefused("hands[1].track") { request in
            request.hands.append(request.hands[0])
            request.hands[1].track = -1
        }
        expectRefused("hands[0].box[2]") { $0.hands[0].box = CropBox(centreX: 0, centreY: 0, side: 0.5) }
    }

    @Test("An id beyond the limit is refused")
    func ids() {
        #expect(throws: InvalidRequestError.self) { try Request.hello.encoded(id: -1) }
        #expect(throws: InvalidRequestError.self) { try Request.hello.encoded(id: WireLimits.maxInteger + 1) }
    }
}

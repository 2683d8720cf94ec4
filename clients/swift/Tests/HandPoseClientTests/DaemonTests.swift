import Foundation
import HandPoseClient
import TestSupport
import Testing

/// Against the real daemon with its embedded model, one after the other.
@Suite(.serialized, .enabled(if: Repository.hasDaemon, "make setup makes .venv"), .timeLimit(.minutes(10)))
struct DaemonTests {
    private let daemon: TestDaemon
    private let crop = HandCrop(
        .rgb((0..<WireLimits.cropBytes).map { UInt8(truncatingIfNeeded: $0 / 97) }), side: .right)

    init() throws {
        daemon = try TestDaemon.shared.get()
    }

    @Test("Hello says who serves, in our words and on our clock")
    func hello() async throws {
        try await HandPoseClient.withConnection(daemon.configuration()) { client in
            let before = MonotonicClock.nowNs()
            let hello = try await client.hello()
            #expect((before...MonotonicClock.nowNs()).contains(hello.clocks.monotonicNs))
            #expect(hello.supportedVersions.contains(protocolVersion))
            #expect(hello.jointNames == Joint.allCases.map(\.name))
            #expect(hello.endpoints.events == RunDirectory.eventsAddress(in: daemon.runDirectory))
            #expect(hello.limits.cropBytes == WireLimits.cropBytes && hello.limits.maxHands == WireLimits.maxHands)
            #expect(hello.state == .ready && hello.model != nil)
        }
    }

    @Test("Status, pings and the topology are answered")
    func answers() async throws {
        try await HandPoseClient.withConnection(daemon.configuration()) { client in
            let status = try await client.status()
            #expect(status.ready && status.modelReady && status.live && status.state == .ready && status.pid > 0)
            #expect(status.device != nil && status.counters["requests_status", default: 0] > 0)
            let (shallow, deep) = (try await client.ping(), try await client.ping(deep: true))
            #expect(!shallow.deep && deep.deep)
            let faces = try await client.topology().faces
            #expect(faces.count == 1538 && faces.allSatisfy { $0.min() >= 0 && $0.max() < 778 })
        }
    }

    @Test("An estimate is the Python client's, bit for bit", arguments: Side.allCases)
    func sameAsPython(_ side: Side) async throws {
        let folder = try TemporaryFolder()
        let (file, place) = (folder.file("picture.rgb"), folder.file("crop.rgb"))
        let size = try PythonProcess.peer([String: Int].self, ["picture", file])
        let image = try RGBImage(
            pixels: bytes(of: file), width: try #require(size["width"]), height: try #require(size["height"]))
        let cut = try HandCrop(cutFrom: image, box: DetectionBox(x1: 272, y1: 165, x2: 360, y2: 275), side: side)
        try Data(try pixels(cut)).write(to: URL(fileURLWithPath: place))
        let box = try #require(cut.box)
        let numbers = [box.centreX, box.centreY, box.side].map { "\($0)" }
        let python = try PythonProcess.peer(
            [String: HexOrNumber].self, ["estimate", daemon.runDirectory, place, side.rawValue] + numbers)

        let reply = try await HandPoseClient.withConnection(daemon.configuration()) { client in
            try await client.estimate([cut], imageSize: ImageSize(width: 640, height: 480))
        }
        let hand = try #require(reply.hands.first)
        #expect(reply.hands.count == 1 && hand.side == side && reply.timing.batch == 1)
        let (camera, mano) = (try #require(hand.camera), try #require(hand.mano))
        #expect(hex(hand.keypoints) == python["keypoints"]?.hex)
        #expect(hex(hand.vertices.map(Array.init)) == python["vertices"]?.hex)
        #expect(hex([camera.scale, camera.tx, camera.ty]) == python["camera"]?.hex)
        #expect(hex(hand.keypoints2D?.flatMap { [$0.x, $0.y] } ?? []) == python["keypoints_2d"]?.hex)
        #expect(hex(hand.translation.map { [$0] }) == python["translation"]?.hex)
        #expect(hex([mano.globalOrient]) == python["global_orient"]?.hex)
        #expect(hex(mano.handPose) == python["hand_pose"]?.hex)
        #expect(hex(mano.betas) == python["betas"]?.hex)
        #expect(hand.focalPx == python["focal_px"]?.number)
    }

    @Test("A reply has the parts that were wanted, and what the detector said")
    func wanted() async throws {
        var tracked = crop
        (tracked.track, tracked.score, tracked.sideScore) = (7, 0.5, 0.25)
        let hands = [tracked, crop]
        let reply = try await HandPoseClient.withConnection(daemon.configuration()) { client in
            try await client.estimate(hands, publish: false, want: [.keypoints])
        }
        #expect(reply.hands.count == 2 && reply.seq == nil)
        let hand = reply.hands[0]
        #expect(hand.keypoints != nil && hand.vertices == nil && hand.mano == nil && hand.camera == nil)
        #expect(hand.track == 7 && hand.score == 0.5 && hand.sideScore == 0.25)
        #expect(reply.hands[1].track == nil)
    }

    @Test("A refusal is an error with its code, and the client goes on")
    func refusals() async throws {
        try await HandPoseClient.withConnection(daemon.configuration()) { client in
            let tooOld = await #expect(throws: HandPoseError.self) {
                try await client.estimate([crop], capturedAtNs: 1, deadline: .milliseconds(5))
            }
            #expect(tooOld?.code == .refused(.expired) && tooOld?.retryable == false)
            #expect((tooOld?.underlying as? Refusal)?.code == .expired)
            let noImage = await #expect(throws: HandPoseError.self) {
                try await client.estimate([HandCrop(.png([1, 2, 3]), side: .left)])
            }
            #expect(noImage?.code == .refused(.badRequest))
            let invalid = await #expect(throws: HandPoseError.self) { try await client.estimate([]) }
            #expect(invalid?.code == .invalidRequest)
            let answered = try await client.estimate([crop])
            #expect(answered.hands.count == 1)
        }
    }

    @Test("Many calls at once are each answered with their own reply")
    func concurrentCalls() async throws {
        try await HandPoseClient.withConnection(daemon.configuration()) { client in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for frame in 1...20 {
                    group.addTask { [crop] in
                        let hands = [HandCrop](repeating: crop, count: 1 + frame % 3)
                        do throws(HandPoseError) {
                            return try await client.estimate(hands, frame: frame, want: []).hands.count == hands.count
                        } catch {
                            return error.code == .refused(.superseded) || error.code == .refused(.busy)
                        }
                    }
                    group.addTask {
                        let deep = frame.isMultiple(of: 5)
                        return try await client.ping(deep: deep).deep == deep
                    }
                }
                for try await asExpected in group { #expect(asExpected) }
            }
        }
    }

    @Test("Both subscribers of a source get its events; each topic has its parts")
    func twoSubscribers() async throws {
        try await HandPoseClient.withConnection(daemon.configuration(source: "swift-two")) { sender in
            let (whole, small) = (
                try sender.poseEvents(source: "swift-two"),
                try HandPoseClient(daemon.configuration()).poseEvents(source: "swift-two", mesh: false)
            )
            async let first = firstEvent(of: whole)
            async let second = firstEvent(of: small)
            try await waitForTopics(["hands/swift-two", "joints/swift-two"], sender)
            let reply = try await sender.estimate([crop], frame: 41)
            let (wholeEvent, smallEvent) = (try #require(try await first), try #require(try await second))
            for event in [wholeEvent, smallEvent] {
                #expect(event.frame == 41 && event.source == "swift-two" && event.seq == reply.seq)
                #expect(event.epoch == reply.epoch && event.missed == 0)
                #expect(event.hands[0].keypoints == reply.hands[0].keypoints)
                #expect(event.age() > .zero && event.publishedAtNs > event.capturedAtNs)
            }
            #expect(wholeEvent.hands[0].vertices == reply.hands[0].vertices)
            #expect(smallEvent.hands[0].vertices == nil && smallEvent.hands[0].mano == nil)
            try await waitForTopics([], sender)
        }
    }

    @Test("A slow reader gets the newest event and is told what it missed; one that keeps them gets all")
    func newest() async throws {
        try await HandPoseClient.withConnection(daemon.configuration(source: "swift-slow")) { client in
            var newest = try client.poseEvents(source: "swift-slow").makeAsyncIterator()
            var all = try client.poseEvents(source: "swift-slow", mesh: false, keeping: 100).makeAsyncIterator()
            try await subscribe(&newest, &all, client)
            for _ in 1...5 { _ = try await client.estimate([crop]) }
            // Later than the events, on the same thread: once it is here, so are they.
            let last = try await client.estimate([crop]).seq
            try await eventually("the last event is here") {
                let event = try #require(try await newest.next())
                return event.seq == last
            }
            var seen: [Int] = []
            while seen.last != last {
                let event = try #require(try await all.next())
                #expect(event.missed == 0)
                seen.append(event.seq)
            }
            #expect(seen == Array(seen[0]...(try #require(last))) && seen.count >= 6)
        }
    }

    @Test("What a loop skipped is counted")
    func missed() async throws {
        try await HandPoseClient.withConnection(daemon.configuration(source: "swift-missed")) { client in
            var events = try client.poseEvents(source: "swift-missed", mesh: false).makeAsyncIterator()
            var others = try client.poseEvents(source: "swift-missed").makeAsyncIterator()
            let first = try await subscribe(&events, &others, client)
            var last = 0
            for _ in 1...4 { last = try #require(try await client.estimate([crop]).seq) }
            var (seq, counted, missed) = (first, 0, 0)
            while seq < last {
                let event = try #require(try await events.next())
                (seq, counted, missed) = (event.seq, counted + 1, missed + event.missed)
            }
            #expect(counted + missed == last - first)
            #expect(missed > 0)
        }
    }

    @Test("Leaving a loop unsubscribes, and so does cancelling its task")
    func unsubscribes() async throws {
        try await HandPoseClient.withConnection(daemon.configuration(source: "swift-leave")) { client in
            let loop = Task { [crop] in
                for try await event in try client.poseEvents(source: "swift-leave") where event.frame > 1 { return }
                _ = crop
            }
            try await waitForTopics(["hands/swift-leave"], client)
            _ = try await client.estimate([crop], frame: 2)
            try await loop.value
            try await waitForTopics([], client)

            let endless = Task { for try await _ in try client.poseEvents(source: "swift-leave") {} }
            try await waitForTopics(["hands/swift-leave"], client)
            endless.cancel()
            try await endless.value
            try await waitForTopics([], client)
        }
    }

    @Test("A new listener to states hears the present one")
    func states() async throws {
        try await HandPoseClient.withConnection(daemon.configuration()) { client in
            for _ in 1...2 {
                var states = client.stateEvents().makeAsyncIterator()
                let present = try await states.next()
                #expect(present?.state == .ready)
            }
        }
    }

    @Test("Where only the address of requests is known, the daemon says where its events are")
    func eventsAddressFromHello() async throws {
        let configuration = HandPoseConfiguration(
            requestsAddress: RunDirectory.requestsAddress(in: daemon.runDirectory), timeout: .seconds(20))
        try await HandPoseClient.withConnection(configuration) { client in
            var states = client.stateEvents().makeAsyncIterator()
            let present = try await states.next()
            #expect(present?.state == .ready)
        }
    }

    @Test("The command line tool shows a hand, an event and the state")
    func watch() throws {
        let folder = try TemporaryFolder()
        try Data(try pixels(crop)).write(to: URL(fileURLWithPath: folder.file("crop.rgb")))
        let options = ["--run-dir", daemon.runDirectory]
        var (line, status) = ("", Int32(0))
        for _ in 1...3 where line.isEmpty {  // the tool waits 2 s, which a busy machine may need for itself
            let estimate = try Tool(
                "handpose-watch", ["estimate", folder.file("crop.rgb"), "--side", "left"] + options)
            (line, status) = (estimate.line(), estimate.end())
        }
        #expect(line.hasPrefix("left, wrist (") && status == 0)
        let state = try Tool("handpose-watch", ["state"] + options)
        #expect(state.line().hasPrefix("daemon is ready: "))
        state.kill()
        let wrong = try Tool("handpose-watch", ["estimate", folder.file("crop.rgb")] + options)
        #expect(wrong.end() == 64)
    }

    // MARK: - Waiting

    private func firstEvent(of events: PoseEvents) async throws -> PoseEvent? {
        for try await event in events { return event }
        return nil
    }

    /// Waits until the daemon knows of exactly these of this suite's topics.
    private func waitForTopics(_ topics: Set<String>, _ client: HandPoseClient) async throws {
        try await eventually("\(topics) are subscribed to") {
            let subscriptions = try await client.status().subscriptions
            return Set(subscriptions.filter { $0.contains("/\(client.source)") }) == topics
        }
    }

    /// Has two loops begin, and both their subscriptions arrive, by events that are sent until each has one.
    ///
    /// - Returns: the number of the first one's event.
    @discardableResult
    private func subscribe(
        _ one: inout PoseEvents.AsyncIterator, _ other: inout PoseEvents.AsyncIterator, _ client: HandPoseClient
    ) async throws -> Int {
        let frames = Task { [crop] in
            while !Task.isCancelled { _ = try await client.estimate([crop]) }
        }
        _ = try await other.next()
        let first = try #require(try await one.next()).seq
        frames.cancel()
        _ = await frames.result
        return first
    }
}

/// A number, or bytes in hex.
private enum HexOrNumber: Decodable {
    case hex(String)
    case number(Double)

    init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        if let text = try? single.decode(String.self) {
            self = .hex(text)
        } else {
            self = .number(try single.decode(Double.self))
        }
    }

    var hex: String? { if case .hex(let text) = self { text } else { nil } }
    var number: Double? { if case .number(let number) = self { number } else { nil } }
}

private func hex(_ numbers: [Float]) -> String {
    numbers.flatMap { number in withUnsafeBytes(of: number.bitPattern.littleEndian) { Array($0) } }
        .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

private func hex(_ points: [SIMD3<Float>]?) -> String {
    hex((points ?? []).flatMap { [$0.x, $0.y, $0.z] })
}

import Foundation
import HandPoseProtocol

/// A connection to the daemon: asks it, sends it crops, listens to it.
///
/// It may be made before the daemon runs, and outlives its restarts. Several calls may be under way at once. Every call
/// throws `HandPoseError`; after any but `closed` and `socket` the client stays usable: where ZeroMQ fails, every later call
/// says so, and another client is to be made. A call whose task is cancelled ends at once with `cancelled`.
public actor HandPoseClient {
    /// Address of the daemon's requests.
    public nonisolated let address: String
    /// What the frames sent here come from.
    public nonisolated let source: String

    private let timeout: Duration
    private let connection: Connection
    private var knownEventsAddress: String?
    private var clock: DaemonClock
    private var lastFrame = 0

    /// Connects, without waiting for anybody.
    ///
    /// - Parameter configuration: where to, and how long to wait.
    /// - Throws: `notPrivate` when somebody else could listen at the default address, `badAddress` for one that cannot be
    ///   connected to, `invalidRequest` for a source that no frame may have, `socket` when the system gives no file
    ///   descriptors.
    public init(_ configuration: HandPoseConfiguration = HandPoseConfiguration()) throws(HandPoseError) {
        source = try Self.source(of: configuration)
        if let requestsAddress = configuration.requestsAddress {
            address = requestsAddress
            knownEventsAddress =
                configuration.eventsAddress ?? DaemonAddress.events(besideRequests: requestsAddress)
        } else {
            let directory = try RunDirectory.ownPath()
            address = RunDirectory.requestsAddress(in: directory)
            knownEventsAddress = configuration.eventsAddress ?? RunDirectory.eventsAddress(in: directory)
        }
        for each in [address, knownEventsAddress].compactMap(\.self) { try DaemonAddress.check(each) }
        timeout = configuration.timeout
        clock = DaemonClock(isOurs: !DaemonAddress.isTCP(address))
        connection = try Connection(address: address, keys: configuration.keys)
    }

    /// Runs a block with a client that is closed when the block ends, in whatever way.
    ///
    /// - Throws: what the block throws, or what making the client does.
    public static func withConnection<Value>(
        _ configuration: HandPoseConfiguration = HandPoseConfiguration(),
        isolation: isolated (any Actor)? = #isolation,
        _ body: (HandPoseClient) async throws -> sending Value
    ) async throws -> Value {
        let client = try HandPoseClient(configuration)
        do {
            let value = try await body(client)
            await client.close()
            return value
        } catch {
            await client.close()
            throw error
        }
    }

    /// Who serves, what, and where its events are.
    ///
    /// - Parameter timeout: how long to wait; nil: as configured.
    public func hello(timeout: Duration? = nil) async throws(HandPoseError) -> HelloReply {
        try await ask(.hello, timeout)
    }

    /// How the daemon is: state, queue, counters, latencies.
    ///
    /// - Parameter timeout: how long to wait; nil: as configured.
    public func status(timeout: Duration? = nil) async throws(HandPoseError) -> StatusReply {
        try await ask(.status, timeout)
    }

    /// Whether it answers.
    ///
    /// - Parameters:
    ///   - deep: whether the thread that owns the network does, too.
    ///   - timeout: how long to wait; nil: as configured.
    public func ping(deep: Bool = false, timeout: Duration? = nil) async throws(HandPoseError) -> PongReply {
        try await ask(.ping(deep: deep), timeout)
    }

    /// The mesh's triangles, which never change: ask once.
    ///
    /// - Parameter timeout: how long to wait; nil: as configured.
    public func topology(timeout: Duration? = nil) async throws(HandPoseError) -> HandTopology {
        try await ask(.topology, timeout)
    }

    /// The poses of all hands of a frame.
    ///
    /// - Parameters:
    ///   - hands: 1 to 8 crops of one frame.
    ///   - frame: its number; nil: counted here, from 1.
    ///   - capturedAtNs: when it was taken, on this host's `MonotonicClock`, ns, also for a daemon on another host: it is
    ///     sent on the daemon's clock. nil: now.
    ///   - deadline: do not compute it when the frame is older than this; nil: no matter how old.
    ///   - publish: send subscribers an event, too.
    ///   - want: the parts to reply with; nil: all.
    ///   - imageSize: of the whole image; with the crops' boxes, the reply has the whole-image camera.
    ///   - intrinsics: of the whole image; nil: a guess from its size.
    ///   - mirrored: the image is a mirrored (selfie) one, and crops, sides and boxes are as it shows them. The reply is of
    ///     the scene itself: the other side, and `keypoints2D` in pixels of the unmirrored image; to draw on the mirrored
    ///     one take W - 1 - x.
    ///   - timeout: how long to wait, for everything; nil: as configured.
    /// - Returns: the hands in the order of the crops.
    /// - Throws: `refused` when the daemon would not (busy, loading, superseded, expired ...), `noReply` when it did not
    ///   answer in time, `invalidRequest` for an argument that it would refuse.
    public func estimate(
        _ hands: [HandCrop], frame: Int? = nil, capturedAtNs: Int64? = nil, deadline: Duration? = nil,
        publish: Bool = true, want: [PosePart]? = nil, imageSize: ImageSize? = nil, intrinsics: Intrinsics? = nil,
        mirrored: Bool = false, timeout: Duration? = nil
    ) async throws(HandPoseError) -> EstimateReply {
        var request = EstimateRequest(
            source: source, frame: frame ?? nextFrame(), capturedAtNs: capturedAtNs ?? MonotonicClock.nowNs(),
            hands: hands, deadlineMs: deadline.map { $0 / .milliseconds(1) }, publish: publish, want: want,
            imageSize: imageSize, intrinsics: intrinsics, mirrored: mirrored)
        do throws(InvalidRequestError) { try request.check() } catch { throw HandPoseError(error) }
        let end = end(timeout)
        request.capturedAtNs = max(0, request.capturedAtNs &+ (try await clockAheadNs(before: end)))
        let sentNs = MonotonicClock.nowNs()
        let reply: EstimateReply = try await ask(.estimate(request), before: end)
        clock.check(
            epoch: reply.epoch,
            ClockSample(
                beforeNs: sentNs, daemonNs: reply.timing.receivedAtNs, afterNs: MonotonicClock.nowNs()))
        return reply
    }

    /// Waits for the daemon to start and to load its network, which it begins anew if it has let it go.
    ///
    /// - Parameter timeout: how long; loading WiLoR's weights takes seconds.
    /// - Throws: what the last attempt did, when the time is over; at once where waiting does not help.
    public func waitUntilReady(timeout: Duration = .seconds(60)) async throws(HandPoseError) {
        let end = end(timeout)
        while true {
            do throws(HandPoseError) {
                let _: PongReply = try await ask(.ping(deep: true), before: end)
                return
            } catch {
                let waitingHelps = [.refused(.loading), .refused(.draining), .refused(.busy)].contains(error.code)
                guard waitingHelps, .now < end else { throw error }
            }
            do { try await Task.sleep(for: .milliseconds(50)) } catch { throw .cancelled }
        }
    }

    /// How far the daemon's monotonic clock is ahead of this host's, ns, measured now, within half a round trip.
    ///
    /// On one host it is about 0. It changes when either host sleeps or starts anew; `nowNs` takes care of that.
    ///
    /// - Parameter timeout: how long to wait; nil: as configured.
    public func clockAheadNs(timeout: Duration? = nil) async throws(HandPoseError) -> Int64 {
        try await measureClock(before: end(timeout))
    }

    /// Now, on the daemon's clock: minus an event's `capturedAtNs`, the age of its pose.
    ///
    /// On one host that is `MonotonicClock.nowNs()`. Over TCP the daemon is asked now and then.
    ///
    /// - Parameter timeout: how long to wait; nil: as configured.
    public func nowNs(timeout: Duration? = nil) async throws(HandPoseError) -> Int64 {
        let aheadNs = try await clockAheadNs(before: end(timeout))
        return MonotonicClock.nowNs() + aheadNs
    }

    /// The poses of a source as the daemon publishes them, newest first, whoever sent the frames.
    ///
    /// - Parameters:
    ///   - source: as the sender of the frames calls itself.
    ///   - mesh: with vertices and MANO's parameters, 10 KB a hand; else without, under 1 KB.
    ///   - keeping: how many of the newest events wait for a loop that is slower than they come; 1 or more.
    /// - Throws: `invalidRequest` for a source that no frame may have.
    public nonisolated func poseEvents(
        source: String, mesh: Bool = true, keeping: Int = 1
    ) throws(HandPoseError) -> PoseEvents {
        do throws(InvalidRequestError) { try checkSource(source) } catch { throw HandPoseError(error) }
        return PoseEvents(
            client: self, topic: mesh ? .hands(source: source) : .joints(source: source), keeping: max(1, keeping))
    }

    /// The daemon's states: the present one as soon as there is a daemon, then each change.
    public nonisolated func stateEvents() -> StateEvents {
        StateEvents(client: self)
    }

    /// Ends everything: calls that wait fail with `closed`, event sequences finish. Returns when the sockets are gone;
    /// a second call does nothing.
    public func close() async {
        await connection.close()
    }

    /// The frames of a topic, from where the daemon publishes; where that is not known, from where it says it does.
    func eventFrames(
        of topic: Topic, keeping: Int, silence: Duration?
    ) async throws(HandPoseError) -> FrameReader {
        while knownEventsAddress == nil {
            do throws(HandPoseError) {
                knownEventsAddress = try await hello().endpoints.events
            } catch  where error.code == .noReply {
                continue  // the daemon may start later
            }
        }
        return connection.events(
            from: knownEventsAddress ?? "", topic: topic, keeping: keeping, silence: silence)
    }

    private func clockAheadNs(before end: ContinuousClock.Instant) async throws(HandPoseError) -> Int64 {
        if let known = clock.aheadNs(nowNs: MonotonicClock.nowNs()) { return known }
        return try await measureClock(before: end)
    }

    private func measureClock(before end: ContinuousClock.Instant) async throws(HandPoseError) -> Int64 {
        _ = try await clockSample(before: end)  // which may have waited for a connection
        var best = try await clockSample(before: end)
        for _ in 1..<Self.clockSamples {
            let next = try await clockSample(before: end)
            if next.roundTripNs < best.roundTripNs { best = next }
        }
        clock.set(best)
        return best.aheadNs
    }

    private func clockSample(before end: ContinuousClock.Instant) async throws(HandPoseError) -> ClockSample {
        let beforeNs = MonotonicClock.nowNs()
        let pong: PongReply = try await ask(.ping(deep: false), before: end)
        return ClockSample(
            beforeNs: beforeNs, daemonNs: pong.clocks.monotonicNs, afterNs: MonotonicClock.nowNs())
    }

    private func end(_ timeout: Duration?) -> ContinuousClock.Instant { .now + (timeout ?? self.timeout) }

    private func ask<Reply: Answer>(_ request: Request, _ timeout: Duration?) async throws(HandPoseError) -> Reply {
        try await ask(request, before: end(timeout))
    }

    private func ask<Reply: Answer>(
        _ request: Request, before end: ContinuousClock.Instant
    ) async throws(HandPoseError) -> Reply {
        let id = connection.nextID()
        let body: [UInt8]
        do throws(InvalidRequestError) { body = try request.encoded(id: id) } catch { throw HandPoseError(error) }
        do throws(HandPoseError) {
            let reply = try await connection.exchange(id, body, deadline: end)
            return try Self.read(reply, id: id)
        } catch {
            // A frame whose time is on another clock is called too old, or one from the future.
            switch error.code {
            case .noReply, .refused(.expired), .refused(.badRequest): clock.doubt(nowNs: MonotonicClock.nowNs())
            default: break
            }
            throw error
        }
    }

    private static func read<Reply: Answer>(_ body: [UInt8], id: Int) throws(HandPoseError) -> Reply {
        let outcome: Result<Reply, HandPoseError>
        do throws(MalformedError) {
            outcome = try decode(body, id: id)
        } catch {
            throw HandPoseError(error)
        }
        return try outcome.get()
    }

    private static func decode<Reply: Answer>(
        _ body: [UInt8], id: Int
    ) throws(MalformedError) -> Result<Reply, HandPoseError> {
        let fields = try MessageMap(body: body[...])
        let head = try ReplyHead(from: fields)
        guard head.id == id || (head.id == nil && head.refusal != nil) else {
            throw MalformedError("id: expected \(id), got \(head.id.map(String.init) ?? "nil")")
        }
        if let refusal = head.refusal { return .failure(HandPoseError(refusal)) }
        return .success(try Reply(from: fields))
    }

    private static let clockSamples = 3

    private func nextFrame() -> Int {
        lastFrame += 1
        return lastFrame
    }

    private static func source(of configuration: HandPoseConfiguration) throws(HandPoseError) -> String {
        let unique = UInt64.random(in: .min ... .max)
        let source = configuration.source ?? "swift-\(getpid())-\(String(unique, radix: 16))"
        do throws(InvalidRequestError) { try checkSource(source) } catch { throw HandPoseError(error) }
        return source
    }
}

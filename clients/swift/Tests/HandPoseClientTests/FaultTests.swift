import Foundation
import HandPoseClient
import TestSupport
import Testing

@testable import HandPoseClient

/// Daemons that die, stall, are not there, or talk nonsense; tasks that are cancelled; clients that are closed.
@Suite(.serialized, .enabled(if: Repository.hasDaemon, "make setup makes .venv"), .timeLimit(.minutes(10)))
struct FaultTests {
    private let crop = HandCrop(.rgb([UInt8](repeating: 99, count: WireLimits.cropBytes)), side: .left)

    private func expect<Value>(
        _ code: HandPoseError.Code, _ call: () async throws(HandPoseError) -> Value
    ) async {
        do throws(HandPoseError) {
            _ = try await call()
            Issue.record("expected \(code), got an answer")
        } catch {
            #expect(error.code == code)
        }
    }

    @Test("After kill -9 and a restart, calls and loops go on by themselves")
    func restart() async throws {
        let daemon = try TestDaemon()
        try await HandPoseClient.withConnection(daemon.configuration(source: "cam", timeout: .seconds(1))) { client in
            var events = try client.poseEvents(source: "cam", mesh: false).makeAsyncIterator()
            let frames = Task { [crop] in
                while !Task.isCancelled {
                    _ = try? await client.estimate([crop])
                    try? await Task.sleep(for: .milliseconds(5))
                }
            }
            let before = try #require(try await events.next())
            let epoch = try await client.hello(timeout: .seconds(20)).epoch
            let gone = ContinuousClock.now
            daemon.tell("kill")
            await expect(.noReply) { () async throws(HandPoseError) in
                try await client.ping(timeout: .milliseconds(300))
            }
            daemon.tell("start")
            let back = ContinuousClock.now
            let answered = try await client.hello(timeout: .seconds(20))
            let recovery = ContinuousClock.now - back
            print("answered \(recovery) after the daemon was there again")
            #expect(answered.epoch != epoch)
            // The slower the machine, the longer the daemon was away.
            #expect(recovery < .seconds(2) + (back - gone))
            var after = before
            try await eventually("an event of the new daemon") {
                after = try #require(try await events.next())
                return after.epoch == answered.epoch
            }
            #expect(after.startsAnew && after.missed == 0)
            frames.cancel()
            _ = await frames.result
        }
    }

    @Test("A daemon that stalls is waited for no longer than asked; its late reply reaches nobody")
    func stall() async throws {
        let daemon = try TestDaemon()
        try await HandPoseClient.withConnection(daemon.configuration()) { client in
            _ = try await client.ping()
            daemon.tell("stall")
            let start = ContinuousClock.now
            for _ in 1...3 {
                await expect(.noReply) { () async throws(HandPoseError) in
                    try await client.status(timeout: .milliseconds(100))
                }
            }
            #expect(ContinuousClock.now - start >= .milliseconds(300))
            daemon.tell("go on")
            let (pong, reply) = (try await client.ping(deep: true), try await client.estimate([crop]))
            #expect(pong.deep && reply.hands.count == 1)
        }
    }

    @Test("A cancelled call ends at once, whether it was sent or not, and the client goes on")
    func cancellation() async throws {
        let daemon = try TestDaemon()
        try await HandPoseClient.withConnection(daemon.configuration(timeout: .seconds(600))) { client in
            _ = try await client.ping()
            daemon.tell("stall")
            let calls = (1...5).map { _ in
                Task { [crop] in
                    await expect(.cancelled) { () async throws(HandPoseError) in try await client.estimate([crop]) }
                }
            }
            calls[0].cancel()
            try await Task.sleep(for: .milliseconds(50))  // a call that is on its way; no condition tells
            for call in calls { call.cancel() }
            for call in calls { await call.value }
            daemon.tell("go on")
            let reply = try await client.estimate([crop])
            #expect(reply.hands.count == 1)
            daemon.tell("kill")
            let unsent = Task {
                await expect(.cancelled) { () async throws(HandPoseError) in try await client.hello() }
            }
            unsent.cancel()
            await unsent.value
        }
    }

    @Test("Without a daemon a call says so in time")
    func nobody() async throws {
        let folder = try TemporaryFolder()
        let configuration = HandPoseConfiguration(runDirectory: folder.path, timeout: .milliseconds(50))
        try await HandPoseClient.withConnection(configuration) { client in
            do throws(HandPoseError) {
                _ = try await client.hello()
                Issue.record("expected no answer")
            } catch {
                #expect(error.code == .noReply && error.retryable)
                #expect(error.message.contains("no daemon at ipc://\(folder.path)/requests"))
            }
        }
    }

    @Test("Nonsense is an error and no answer, and the client goes on")
    func nonsense() async throws {
        let folder = try TemporaryFolder()
        let daemon = try PythonProcess("nonsense.py", [folder.path])
        #expect(daemon.line() == "ready")
        let configuration = HandPoseConfiguration(runDirectory: folder.path, timeout: .seconds(20))
        try await HandPoseClient.withConnection(configuration) { client in
            await expect(.badReply) { () async throws(HandPoseError) in try await client.hello() }
            await expect(.badReply) { () async throws(HandPoseError) in try await client.status() }
            let brief = Duration.milliseconds(200)
            await expect(.noReply) { () async throws(HandPoseError) in try await client.topology(timeout: brief) }
            await expect(.noReply) { () async throws(HandPoseError) in try await client.ping(timeout: brief) }
            await expect(.badReply) { () async throws(HandPoseError) in try await client.hello() }
            var events = try client.poseEvents(source: "cam").makeAsyncIterator()
            let error = await #expect(throws: HandPoseError.self) { _ = try await events.next() }
            #expect(error?.code == .badReply)
        }
        daemon.finish()
    }

    @Test("Closing ends calls and loops, and later calls fail at once")
    func close() async throws {
        let folder = try TemporaryFolder()
        let client = try HandPoseClient(HandPoseConfiguration(runDirectory: folder.path, timeout: .seconds(600)))
        let call = Task { await expect(.closed) { () async throws(HandPoseError) in try await client.hello() } }
        let loop = Task { for try await _ in try client.poseEvents(source: "cam") {} }
        try await Task.sleep(for: .milliseconds(20))  // both have begun; no condition tells
        await client.close()
        await client.close()
        await call.value
        try await loop.value
        await expect(.closed) { () async throws(HandPoseError) in try await client.hello() }
        for try await _ in try client.poseEvents(source: "cam") { Issue.record("an event of a closed client") }
    }

    @Test("An address or a source that cannot be used is an error and no trap")
    func wrongConfiguration() async throws {
        let client = try HandPoseClient(HandPoseConfiguration(requestsAddress: "ipc://x"))
        for address in [
            "nowhere", "", "/tmp/run", "ipc://", "tcp://host", "tcp://:1", "tcp://h:0", "tcp://h:+1", "udp://h:1",
        ] {
            let error = #expect(throws: HandPoseError.self) {
                try HandPoseClient(HandPoseConfiguration(requestsAddress: address))
            }
            #expect(error?.code == .badAddress && error?.message.contains("got \"\(address)\"") == true)
            #expect(throws: HandPoseError.self) {
                try HandPoseClient(HandPoseConfiguration(requestsAddress: "ipc://x", eventsAddress: address))
            }
        }
        let tooLong = HandPoseConfiguration(runDirectory: "/tmp/" + String(repeating: "x", count: 107))
        #expect(throws: HandPoseError.self) { try HandPoseClient(tooLong) }
        #expect(throws: HandPoseError.self) {
            try HandPoseClient(HandPoseConfiguration(requestsAddress: "ipc://x", source: ""))
        }
        #expect(throws: HandPoseError.self) { try client.poseEvents(source: "a\u{0}b") }
        await client.close()
    }

    @Test("A client whose sockets failed says so to whoever asks, however late, and its loops end with that error")
    func failedSockets() async throws {
        let connection = try Connection(address: "nowhere")
        try await Task.sleep(for: .milliseconds(50))  // the thread has ended; no condition tells
        for _ in 1...2 {
            await expect(.socket) { () async throws(HandPoseError) in
                try await connection.exchange(1, [], deadline: .now + .seconds(20))
            }
        }
        let reader = connection.events(from: "ipc://x", topic: .state, keeping: 1, silence: nil)
        await expect(.socket) { () async throws(HandPoseError) in try await reader.next(isolation: nil) }
        await connection.close()
    }

    @Test("A sequence whose socket cannot be had ends with the error, and the client goes on")
    func failedSubscription() async throws {
        let client = try HandPoseClient(HandPoseConfiguration(requestsAddress: "ipc://x", eventsAddress: "tcp://*:80"))
        var events = try client.poseEvents(source: "cam").makeAsyncIterator()
        let error = await #expect(throws: HandPoseError.self) { _ = try await events.next() }
        #expect(error?.code == .socket)
        await expect(.noReply) { () async throws(HandPoseError) in try await client.ping(timeout: .milliseconds(20)) }
    }

    @Test("A call may wait for ages, and a cancelled one still ends at once")
    func forAges() async throws {
        let folder = try TemporaryFolder()
        let configuration = HandPoseConfiguration(runDirectory: folder.path, timeout: .seconds(Int64.max))
        try await HandPoseClient.withConnection(configuration) { client in
            let call = Task { await expect(.cancelled) { () async throws(HandPoseError) in try await client.hello() } }
            try await Task.sleep(for: .milliseconds(20))  // it has begun; no condition tells
            call.cancel()
            await call.value
        }
    }

    @Test("Errors are plain sentences, and codes plain words")
    func sentences() async throws {
        let daemon = try TestDaemon.shared.get()
        try await HandPoseClient.withConnection(daemon.configuration()) { client in
            let expired = await #expect(throws: HandPoseError.self) {
                try await client.estimate([crop], capturedAtNs: 1, deadline: .zero)
            }
            let (text, code) = (expired.map { "\($0)" } ?? "", expired.map { "\($0.code)" } ?? "")
            #expect(text.hasPrefix("expired: ") && !text.contains("HandPose") && code == "expired")
            let invalid = await #expect(throws: HandPoseError.self) { try await client.estimate([]) }
            #expect(invalid.map { "\($0)" } == "hands: expected 1 to 8, got 0")
        }
    }
}

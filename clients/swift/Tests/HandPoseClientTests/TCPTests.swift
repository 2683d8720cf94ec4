import Foundation
import TestSupport
import Testing

@testable import HandPoseClient

/// Over TCP, against the real daemon: requests, events at the next port, keys, its host's clock.
@Suite(.serialized, .enabled(if: Repository.hasDaemon, "make setup makes .venv"), .timeLimit(.minutes(10)))
struct TCPTests {
    private let crop = HandCrop(.rgb([UInt8](repeating: 99, count: WireLimits.cropBytes)), side: .left)

    @Test("A client with keys is answered, hears its events, and nobody else is let in")
    func served() async throws {
        let folder = try TemporaryFolder()
        let daemon = try PythonProcess("daemon.py", [folder.path])
        let address = "tcp://127.0.0.1:\(daemon.line())"
        #expect(!daemon.line().isEmpty)
        let configuration = HandPoseConfiguration(
            requestsAddress: address, source: "far", timeout: .seconds(20),
            keys: try ClientKeys(file: folder.file("client.toml")))
        try await HandPoseClient.withConnection(configuration) { client in
            try await client.waitUntilReady()
            let began = MonotonicClock.nowNs()
            expectExact(try await client.clockAheadNs(), measuredFrom: began)
            let events = try client.poseEvents(source: "far", mesh: false)
            async let first = events.first { _ in true }
            try await eventually("the daemon knows of the listener") {
                try await client.status().subscriptions.contains("joints/far")
            }
            let reply = try await client.estimate([crop], deadline: .seconds(10))
            let event = try #require(try await first)
            #expect(event.seq == reply.seq && event.hands[0].keypoints == reply.hands[0].keypoints)
            #expect(event.age(nowNs: try await client.nowNs()) > .zero)
        }
        let place = address.dropFirst("tcp://".count)
        let watch = try Tool("handpose-watch", ["state", "--tcp", "\(place)", "--keys", folder.file("client.toml")])
        #expect(watch.line().hasPrefix("daemon is ready: "))
        watch.kill()
        let start = ContinuousClock.now
        try await HandPoseClient.withConnection(configuration) { client in _ = try await client.hello() }
        let patience = max(.milliseconds(300), (ContinuousClock.now - start) * 5)
        for keys in [
            nil,
            try ClientKeys(
                daemonPublic: configuration.keys?.daemonPublic ?? "", public: Self.other.0, secret: Self.other.1),
        ] {
            var stranger = configuration
            (stranger.keys, stranger.timeout) = (keys, patience)
            try await HandPoseClient.withConnection(stranger) { client in
                let error = await #expect(throws: HandPoseError.self) { try await client.hello() }
                #expect(error?.code == .noReply)
            }
        }
        daemon.finish()
    }

    /// The pair of ZeroMQ's own documentation: nobody's.
    private static let other = (
        "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID", "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
    )

    /// Expects of a clock's offset that it is right to within half the best of three round trips since then.
    private func expectExact(_ errorNs: Int64, measuredFrom beganNs: Int64) {
        let tookNs = MonotonicClock.nowNs() - beganNs
        print("off by \(errorNs) ns, measured in \(tookNs) ns")
        #expect(abs(errorNs) <= tookNs / 6 + 1_000)
    }

    @Test("Events are at the next port unless they are said to be elsewhere")
    func nextPort() {
        #expect(DaemonAddress.events(besideRequests: "tcp://10.0.0.2:7447") == "tcp://10.0.0.2:7448")
        #expect(DaemonAddress.events(besideRequests: "tcp://[::1]:7447") == "tcp://[::1]:7448")
        #expect(DaemonAddress.events(besideRequests: "ipc:///tmp/x") == nil)
    }

    @Test("The clock of a daemon that comes late has no part of the wait in it, and one deadline holds for all")
    func lateDaemon() async throws {
        let port = try PythonProcess.peer(Int.self, ["free-port"])
        let configuration = HandPoseConfiguration(requestsAddress: "tcp://127.0.0.1:\(port)", timeout: .seconds(20))
        try await HandPoseClient.withConnection(configuration) { client in
            let start = ContinuousClock.now
            let late = await #expect(throws: HandPoseError.self) {
                try await client.estimate([crop], timeout: .milliseconds(100))
            }
            #expect(late?.code == .noReply && ContinuousClock.now - start < .seconds(10))

            let began = MonotonicClock.nowNs()
            async let ahead = client.clockAheadNs()
            try await Task.sleep(for: .milliseconds(300))  // a call that waits; no condition tells
            let daemon = try PythonProcess("other_host.py", ["\(port)", "77000000000"])
            expectExact(try await ahead - 77_000_000_000, measuredFrom: began)
            let reply = try await client.estimate([crop], deadline: .seconds(60))
            #expect(abs(reply.timing.modelMs) < 10_000, "the age of a frame that is taken now, ms")

            // This host has slept for an hour. At most one frame is lost to it.
            try await Task.sleep(for: .seconds(1))  // within a second of the first doubt there is no second one
            daemon.write("ahead 3677000000000\n")
            #expect(daemon.line() == "done")
            var lost = 0
            try await eventually("frames are fresh again") {
                do throws(HandPoseError) {
                    let reply = try await client.estimate([crop], deadline: .seconds(10))
                    return abs(reply.timing.modelMs) < 10_000
                } catch {
                    #expect(error.code == .refused(.expired))
                    lost += 1
                    return false
                }
            }
            #expect(lost <= 1)
            daemon.finish()
        }
    }

    @Test("Keys that are none, or that others can read, are refused by name")
    func wrongKeys() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("keys.toml")
        let key = String(repeating: "k", count: 40)
        func write(_ text: String, mode: Int = 0o600) throws {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        }
        func refusal() -> String {
            let error = #expect(throws: HandPoseError.self) { try ClientKeys(file: path) }
            #expect(error?.code == .badKeys)
            return error?.message ?? ""
        }
        #expect(refusal().contains("cannot be read"))
        try write("public = \"\(key)\"\nsecret = \"short\"\ndaemon_public = \"\(key)\"\n")
        #expect(refusal().contains("\(path): secret: expected 40 characters, got 5"))
        try write("public = \"\(key)\"\nsecret = \"\(key)\"\n")
        #expect(refusal().contains("daemon_public: expected 40 characters, got 0"))
        let whole = "# keys\npublic = \"\(key)\"\nsecret=\"=\(key.dropFirst())\"\ndaemon_public = \"\(key)\"\n"
        try write(whole, mode: 0o644)
        #expect(refusal().contains("chmod 600"))
        try write(whole)
        let keys = try ClientKeys(file: path)
        #expect(keys.secret == "=" + key.dropFirst() && !"\(keys)".contains(keys.secret))
    }
}

import Foundation
import HandPoseProtocol
import Testing

@testable import HandPoseClient

/// What a reader is told of frames that come, and of none.
@Suite(.timeLimit(.minutes(10))) struct SilenceTests {
    private func outcome(_ queue: FrameQueue) async throws -> FrameQueue.Item {
        try await queue.next(isolation: nil).get()
    }

    @Test("Silence is told once, and only to who has read all that came")
    func afterTheLastFrame() async throws {
        let queue = FrameQueue(keeping: 2)
        queue.add([1])
        queue.fallSilent()
        queue.add([2])
        #expect(try await outcome(queue) == .frame([1]))
        #expect(try await outcome(queue) == .frame([2]))
        queue.fallSilent()
        queue.fallSilent()
        #expect(try await outcome(queue) == .silence)
        queue.fallSilent()
        queue.add([3])
        #expect(try await outcome(queue) == .frame([3]))
        queue.end(with: .closed)
        await #expect(throws: HandPoseError.self) { try await outcome(queue) }
    }

    @Test("The newest frames wait, as many as are kept, and are read before the end is told")
    func newest() async throws {
        let queue = FrameQueue(keeping: 2)
        for number in 1...5 { queue.add([UInt8(number)]) }
        queue.end(with: .closed)
        queue.end(with: .cancelled)
        #expect(try await outcome(queue) == .frame([4]))
        #expect(try await outcome(queue) == .frame([5]))
        for _ in 1...2 {
            let error = await #expect(throws: HandPoseError.self) { try await outcome(queue) }
            #expect(error?.code == .closed)
        }
    }

    @Test("A reader that waits is woken by a frame, by silence, by the end, and when its task is cancelled")
    func woken() async throws {
        let wakes: [@Sendable (FrameQueue) -> Void] = [
            { $0.add([7]) }, { $0.fallSilent() }, { $0.end(with: .closed) },
        ]
        for (wake, told) in zip(wakes, [.frame([7]), .silence, nil] as [FrameQueue.Item?]) {
            let queue = FrameQueue(keeping: 1)
            let reader = Task { await queue.next(isolation: nil) }
            try await Task.sleep(for: .milliseconds(5))  // it waits; no condition tells
            wake(queue)
            switch await reader.value {
            case .success(let item): #expect(item == told)
            case .failure(let error): #expect(told == nil && error.code == .closed)
            }
        }
        let queue = FrameQueue(keeping: 1)
        for pause in [Duration.zero, .milliseconds(5)] {
            let reader = Task { await queue.next(isolation: nil) }
            try await Task.sleep(for: pause)
            reader.cancel()
            let outcome = await reader.value
            #expect(throws: HandPoseError.self) { try outcome.get() }
        }
        queue.add([8])
        #expect(try await outcome(queue) == .frame([8]))
    }

    @Test("A source from which nothing comes is silent, again and again, until the client is closed")
    func nobody() async throws {
        let folder = try TemporaryFolder()
        let client = try HandPoseClient(HandPoseConfiguration(runDirectory: folder.path))
        let start = ContinuousClock.now
        var silences = 0
        for try await event in try client.poseEvents(source: "cam").reportingSilence(after: .milliseconds(40)) {
            #expect(event == nil)
            silences += 1
            if silences == 3 { await client.close() }
        }
        #expect(silences == 3)
        #expect(ContinuousClock.now - start >= .milliseconds(120))
    }
}

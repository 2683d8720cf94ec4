import Foundation
import Synchronization

/// What other threads ask of the socket thread.
enum Command: Sendable {
    typealias Waiter = CheckedContinuation<Result<[UInt8], HandPoseError>, Never>
    typealias Sink = AsyncStream<Result<[UInt8], HandPoseError>>.Continuation

    case request(id: Int, body: [UInt8], timeout: Duration, waiter: Waiter)
    case cancel(id: Int)
    case subscribe(Subscription, sink: Sink)
    case unsubscribe(id: Int)
    case close(CheckedContinuation<Void, Never>?)
}

/// Commands on their way to the socket thread, and a pipe that wakes it while it waits for sockets.
final class Mailbox: Sendable {
    private struct State {
        var commands: [Command] = []
        var isClosed = false
    }

    /// The end of the pipe that becomes readable when there are commands.
    let wakeUp: Int32
    private let bell: Int32
    private let state = Mutex(State())

    init() throws(HandPoseError) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else {
            throw HandPoseError(.socket, "making a pipe: \(String(cString: strerror(errno)))")
        }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        (wakeUp, bell) = (ends[0], ends[1])
    }

    /// Hands a command over; false when nobody takes it any more.
    func post(_ command: Command) -> Bool {
        state.withLock { state in
            guard !state.isClosed else { return false }
            state.commands.append(command)
            // One byte in the pipe is enough, however many commands wait.
            if state.commands.count == 1 { _ = write(bell, [1], 1) }
            return true
        }
    }

    /// All commands that wait, oldest first. For the socket thread.
    func take() -> [Command] {
        state.withLock { state in
            if !state.commands.isEmpty {
                var byte: UInt8 = 0
                _ = read(wakeUp, &byte, 1)
            }
            defer { state.commands = [] }
            return state.commands
        }
    }

    /// Takes no more commands, and returns those that came too late. For the socket thread, as its last act.
    func close() -> [Command] {
        state.withLock { state in
            state.isClosed = true
            // Under the lock, so that nobody rings a bell whose number already belongs to another file.
            _ = Foundation.close(wakeUp)
            _ = Foundation.close(bell)
            defer { state.commands = [] }
            return state.commands
        }
    }
}

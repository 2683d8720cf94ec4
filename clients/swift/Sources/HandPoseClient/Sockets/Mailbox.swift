import Foundation
import Synchronization

/// What other threads ask of the socket thread.
enum Command: Sendable {
    typealias Waiter = CheckedContinuation<Result<[UInt8], HandPoseError>, Never>

    case request(id: Int, body: [UInt8], deadline: ContinuousClock.Instant, waiter: Waiter)
    case cancel(id: Int)
    case subscribe(Subscription, FrameQueue)
    case unsubscribe(id: Int)
    case close(CheckedContinuation<Void, Never>?)
}

/// Commands on their way to the socket thread, and a pipe that wakes it while it waits for sockets.
final class Mailbox: Sendable {
    private struct State {
        var commands: [Command] = []
        var closedWith: HandPoseError?
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

    /// Hands a command over.
    ///
    /// - Returns: why nobody takes it any more; nil: it was taken.
    func post(_ command: Command) -> HandPoseError? {
        state.withLock { state in
            if let error = state.closedWith { return error }
            state.commands.append(command)
            // One byte in the pipe is enough, however many commands wait.
            if state.commands.count == 1 { _ = write(bell, [1], 1) }
            return nil
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

    /// Takes no more commands: whoever comes later is told this error. For the socket thread, as its last act.
    ///
    /// - Returns: commands that came too late.
    func close(with error: HandPoseError) -> [Command] {
        state.withLock { state in
            state.closedWith = error
            // Under the lock, so that nobody rings a bell whose number already belongs to another file.
            _ = Foundation.close(wakeUp)
            _ = Foundation.close(bell)
            defer { state.commands = [] }
            return state.commands
        }
    }
}

import Synchronization

/// Frames on their way from the socket thread to one reader: the newest ones, and whether none has come for long.
final class FrameQueue: Sendable {
    enum Item: Sendable, Equatable {
        case frame([UInt8])
        /// Nothing has come for as long as the reader asked to be told.
        case silence
    }

    typealias Outcome = Result<Item, HandPoseError>

    private struct State {
        var frames: [[UInt8]] = []
        var isSilent = false
        var end: HandPoseError?
        var reader: CheckedContinuation<Outcome, Never>?

        mutating func take() -> Outcome? {
            if !frames.isEmpty { return .success(.frame(frames.removeFirst())) }
            if let end { return .failure(end) }
            guard isSilent else { return nil }
            isSilent = false
            return .success(.silence)
        }
    }

    private let keeping: Int
    private let state = Mutex(State())

    /// - Parameter keeping: how many of the newest frames wait for the reader.
    init(keeping: Int) {
        self.keeping = keeping
    }

    /// A frame has come.
    func add(_ frame: [UInt8]) {
        change { state in
            if state.frames.count == keeping { state.frames.removeFirst() }
            state.frames.append(frame)
            state.isSilent = false
        }
    }

    /// None has come for long. Who has yet to read the last one is not told.
    func fallSilent() {
        change { state in state.isSilent = state.frames.isEmpty }
    }

    /// None will come any more; the reader is told why when it has read the last one.
    func end(with error: HandPoseError) {
        change { state in state.end = state.end ?? error }
    }

    /// The oldest that waits, or the next thing to happen; `cancelled` when the task is. For one reader.
    func next(isolation actor: isolated (any Actor)?) async -> Outcome {
        await withTaskCancellationHandler {
            await withCheckedContinuation { reader in
                let outcome = state.withLock { state -> Outcome? in
                    // The handler below may have run before there was anybody to wake.
                    if let outcome = state.take() ?? (Task.isCancelled ? .failure(.cancelled) : nil) { return outcome }
                    precondition(state.reader == nil, "a sequence of events has one reader")
                    state.reader = reader
                    return nil
                }
                if let outcome { reader.resume(returning: outcome) }
            }
        } onCancel: {
            state.withLock { state in
                defer { state.reader = nil }
                return state.reader
            }?.resume(returning: .failure(.cancelled))
        }
    }

    private func change(_ change: (inout State) -> Void) {
        let woken = state.withLock { state -> (CheckedContinuation<Outcome, Never>, Outcome)? in
            change(&state)
            guard let reader = state.reader, let outcome = state.take() else { return nil }
            state.reader = nil
            return (reader, outcome)
        }
        if let (reader, outcome) = woken { reader.resume(returning: outcome) }
    }
}

/// The reader's end of a queue. When nobody holds it any more, the subscription ends.
final class FrameReader: Sendable {
    private let queue: FrameQueue
    private let unsubscribe: @Sendable () -> Void

    init(_ queue: FrameQueue, unsubscribe: @escaping @Sendable () -> Void) {
        self.queue = queue
        self.unsubscribe = unsubscribe
    }

    deinit { unsubscribe() }

    func next(isolation actor: isolated (any Actor)?) async throws(HandPoseError) -> FrameQueue.Item {
        try await queue.next(isolation: actor).get()
    }
}

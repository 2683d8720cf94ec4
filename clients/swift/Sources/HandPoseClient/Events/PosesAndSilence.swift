import HandPoseProtocol

/// The poses of one source, and nil each time that none has come for long. Begins, ends and fails as `PoseEvents` does.
public struct PosesAndSilence: AsyncSequence, Sendable {
    /// Delivers the events.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private var frames: EventFrames
        private var history = EventHistory()

        init(frames: EventFrames) {
            self.frames = frames
        }

        /// The next event, or nil within the optional for silence.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(HandPoseError) -> PoseEvent?? {
            switch try await frames.next(isolation: actor) {
            case nil: return .none
            case .silence: return .some(nil)
            case .frame(let frame):
                do throws(MalformedError) {
                    return history.receive(try HandsEvent(frame: frame))
                } catch {
                    throw HandPoseError(error)
                }
            }
        }

        /// The same, from any isolation. Written out because macOS 15.0 to 15.3 bring no `next()` to inherit.
        public mutating func next() async throws(HandPoseError) -> PoseEvent?? {
            try await next(isolation: nil)
        }
    }

    let events: PoseEvents
    let time: Duration

    /// Begins to listen.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(
            frames: EventFrames(
                client: events.client, topic: events.topic, keeping: events.keeping, silence: time))
    }
}

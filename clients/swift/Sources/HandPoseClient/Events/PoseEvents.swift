import HandPoseProtocol

/// The poses of one source as the daemon publishes them.
///
/// By default only the newest event waits: a program that is slower than the camera skips, and is never late. The
/// daemon may start later, or restart. The subscription begins when the loop asks for its first event and ends when
/// the loop does; each loop over the same value has its own.
///
/// The loop ends when the client is closed or the task is cancelled. It throws `badReply` for what is not of this
/// protocol, and `socket` when ZeroMQ fails.
public struct PoseEvents: AsyncSequence, Sendable {
    /// Delivers the events.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var frames: EventFrames
        private var history = EventHistory()

        fileprivate init(frames: EventFrames) {
            self.frames = frames
        }

        /// The next event, when there is one.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(HandPoseError) -> PoseEvent? {
            guard let frame = try await frames.next(isolation: actor) else { return nil }
            do throws(MalformedError) {
                return history.receive(try HandsEvent(frame: frame))
            } catch {
                throw HandPoseError(error)
            }
        }
    }

    let client: HandPoseClient
    let topic: Topic
    let keeping: Int

    /// Begins to listen.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(frames: EventFrames(client: client, topic: topic, keeping: keeping))
    }
}

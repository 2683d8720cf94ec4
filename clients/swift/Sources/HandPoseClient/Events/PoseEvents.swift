import HandPoseProtocol

/// The poses of one source as the daemon publishes them.
///
/// By default only the newest event waits: a program that is slower than the camera skips, and is never late. The
/// daemon may start later, or restart. The subscription begins when the loop asks for its first event and ends when
/// the loop does; each loop over the same value has its own.
///
/// **No hand in the picture is silence:** nobody sends one, so no event comes, and the loop waits. Who holds something for
/// the hand loops over `reportingSilence(after:)`.
///
/// The loop ends when the client is closed or the task is cancelled. It throws `badReply` for what is not of this
/// protocol, and `socket` when ZeroMQ fails.
public struct PoseEvents: AsyncSequence, Sendable {
    /// Delivers the events.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private var poses: PosesAndSilence.AsyncIterator

        fileprivate init(poses: PosesAndSilence.AsyncIterator) {
            self.poses = poses
        }

        /// The next event, when there is one.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(HandPoseError) -> PoseEvent? {
            while let event = try await poses.next(isolation: actor) {
                if let event { return event }
            }
            return nil
        }

        /// The same, from any isolation. Written out because macOS 15.0 to 15.3 bring no `next()` to inherit.
        public mutating func next() async throws(HandPoseError) -> PoseEvent? {
            try await next(isolation: nil)
        }
    }

    let client: HandPoseClient
    let topic: Topic
    let keeping: Int

    /// Begins to listen.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(
            poses: PosesAndSilence.AsyncIterator(
                frames: EventFrames(client: client, topic: topic, keeping: keeping)))
    }

    /// The same events, and nil each time that none has come for so long: no hand is in the picture, or the camera, the
    /// detector or the daemon has stopped.
    ///
    /// - Parameter time: some frames of the camera, 300 ms for example; at least 1 ms.
    public func reportingSilence(after time: Duration) -> PosesAndSilence {
        PosesAndSilence(events: self, time: Swift.max(time, .milliseconds(1)))
    }
}

import HandPoseProtocol

/// The daemon's states: the present one as soon as there is a daemon, then each change.
///
/// The newest 16 wait. Loops begin, end and fail as those over `PoseEvents` do.
public struct StateEvents: AsyncSequence, Sendable {
    /// Delivers the events.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var frames: EventFrames

        /// The next event, when there is one.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(HandPoseError) -> StateEvent? {
            guard case .frame(let frame) = try await frames.next(isolation: actor) else { return nil }
            do throws(MalformedError) {
                return try StateEvent(frame: frame)
            } catch {
                throw HandPoseError(error)
            }
        }

        /// The same, from any isolation. Written out because macOS 15.0 to 15.3 bring no `next()` to inherit.
        public mutating func next() async throws(HandPoseError) -> StateEvent? {
            try await next(isolation: nil)
        }
    }

    let client: HandPoseClient

    /// Begins to listen.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(frames: EventFrames(client: client, topic: .state, keeping: 16))
    }
}

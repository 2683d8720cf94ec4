/// It answers; and to a deep ping: the thread that owns the network does too.
public struct PongReply: Answer, Equatable {
    /// The host's clocks.
    public let clocks: Clocks
    /// As asked.
    public let deep: Bool

    package init(from fields: MessageMap) throws(MalformedError) {
        try fields.checkAnswer()
        clocks = try Clocks(from: fields.required("clocks").map())
        deep = try fields.required("deep").bool()
    }
}

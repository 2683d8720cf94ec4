/// What tells an answer from a refusal, and to which request it belongs; read first.
package struct ReplyHead {
    /// The request's number; nil when the daemon could not read one.
    package let id: Int?
    /// Nil for an answer.
    package let refusal: Refusal?

    package init(from fields: MessageMap) throws(MalformedError) {
        id = try fields.required("id").orNil?.int()
        let ok = try fields.required("ok").bool()
        try fields.checkVersion()
        refusal = ok ? nil : try Refusal(from: fields.required("error").map())
    }
}

/// A kind of answer.
package protocol Answer: Sendable {
    init(from fields: MessageMap) throws(MalformedError)
}

extension MessageMap {
    /// The version that the message itself says it is of.
    func checkVersion() throws(MalformedError) {
        let version = try required("v").int()
        guard version == protocolVersion else {
            throw MalformedError("v: expected \(protocolVersion), got \(version)")
        }
    }

    /// That this is an answer of this version, and not a refusal.
    func checkAnswer() throws(MalformedError) {
        guard try required("ok").bool() else { throw MalformedError("ok: expected true, got false") }
        try checkVersion()
    }
}

import HandPoseProtocol
import Testing

/// The golden messages mean here what their JSON says.
@Suite struct GoldenTests {
    @Test("There are golden messages of every kind")
    func thereAreGoldens() {
        for kind in ["request", "reply", "event"] {
            #expect(Golden.valid(kind).count > 5, "\(kind)")
        }
        #expect(Golden.invalid("request").count > 30)
    }

    @Test("A generic reading finds the same map", arguments: Golden.all.filter(\.isValid))
    func genericReading(_ golden: Golden) throws {
        let read = try MessagePackValue(decoding: golden.body)
        let wanted = try #require(golden.about["as_written"] ?? golden.about["message"])
        #expect(same(read, wanted))
    }

    @Test("Written again, a canonical message is the same bytes", arguments: Golden.all.filter(\.isCanonical))
    func canonicalBytes(_ golden: Golden) throws {
        #expect(try MessagePackValue(decoding: golden.body).encoded() == Array(golden.body))
    }

    @Test("Our requests are the canonical bytes", arguments: Golden.valid("request"))
    func requestsAreCanonical(_ golden: Golden) throws {
        let read = try ReadRequest(golden.bytes[...])
        let written = try read.request.encoded(id: read.id)
        #expect((written == golden.bytes) == golden.isCanonical)
        #expect(same(try MessagePackValue(decoding: written[...]), try #require(golden.about["message"])))
    }

    @Test("A reply has the values of its JSON, however it was written", arguments: Golden.valid("reply"))
    func replies(_ golden: Golden) throws {
        let fields = try MessageMap(body: golden.bytes[...])
        let head = try ReplyHead(from: fields)
        let wanted = try #require(golden.about["message"])
        if let refusal = head.refusal {
            #expect(covers(refusal.meaning(id: head.id), wanted))
            return
        }
        let id = try #require(head.id)
        switch golden.name {
        case let name where name.hasPrefix("hello"):
            #expect(covers(try HelloReply(from: fields).meaning(id: id), wanted))
        case let name where name.hasPrefix("status"):
            #expect(covers(try StatusReply(from: fields).meaning(id: id), wanted))
        case let name where name.hasPrefix("pong"): #expect(covers(try PongReply(from: fields).meaning(id: id), wanted))
        case let name where name.hasPrefix("estimate"):
            #expect(covers(try EstimateReply(from: fields).meaning(id: id), wanted))
        case let name where name.hasPrefix("topology"):
            let topology = try HandTopology(from: fields)
            let flat = try MessageField(path: "", value: wanted).map().required("faces").int32(1538, 3)
            #expect(topology.faces.flatMap { [$0.x, $0.y, $0.z] } == flat)
        case let name: Issue.record("no reader for \(name)")
        }
    }

    @Test("An event has the values of its JSON, however it was written", arguments: Golden.valid("event"))
    func events(_ golden: Golden) throws {
        let wanted = try #require(golden.about["message"])
        #expect(try EventFrame(golden.bytes).topic == golden.text("topic"))
        if golden.text("topic") == "state" {
            #expect(covers(try StateEvent(frame: golden.bytes).meaning, wanted))
        } else {
            #expect(covers(try HandsEvent(frame: golden.bytes).meaning, wanted))
        }
    }

    @Test("Every error code has its golden refusal")
    func errorCodes() throws {
        let codes = try Golden.valid("reply").compactMap { golden in
            try ReplyHead(from: MessageMap(body: golden.bytes[...])).refusal?.code
        }
        #expect(Set(codes) == Set(ErrorCode.allCases))
    }

    @Test("An invalid answer is not taken for sound, and the sentence names what", arguments: Golden.invalid("reply"))
    func invalidReplies(_ golden: Golden) {
        let error = #expect(throws: MalformedError.self) {
            try EstimateReply(from: MessageMap(body: golden.bytes[...]))
        }
        #expect(error?.description.contains(golden.text("names")) == true)
    }

    @Test("An invalid event is not taken for sound, and the sentence names what", arguments: Golden.invalid("event"))
    func invalidEvents(_ golden: Golden) {
        let error = #expect(throws: MalformedError.self) { try HandsEvent(frame: golden.bytes) }
        #expect(error?.description.contains(golden.text("names")) == true)
    }

    @Test("What the daemon would refuse is not sent", arguments: Golden.invalid("request"))
    func invalidRequests(_ golden: Golden) throws {
        do throws(MalformedError) {
            let read = try ReadRequest(golden.bytes[...])
            let error = #expect(throws: InvalidRequestError.self) { try read.request.encoded(id: read.id) }
            #expect(error?.description.contains(golden.text("names")) == true)
        } catch {
            // What cannot even be said in Swift; that it did not trap is the point.
            #expect(!error.description.isEmpty)
        }
    }

    @Test("Some of what the daemon would refuse can be said in Swift")
    func invalidRequestsThatCanBeSaid() {
        #expect(Golden.invalid("request").filter { (try? ReadRequest($0.bytes[...])) != nil }.count > 10)
    }
}

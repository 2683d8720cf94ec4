import Foundation
import Testing

/// On a Mac the runtime is the system's, and may be older than the compiler that built the program.
@Suite struct RuntimeTests {
    @Test("A program with this client needs nothing that only newer systems' runtimes have")
    func oldestSystem() throws {
        let program = try Data(contentsOf: Tool.products.appendingPathComponent("handpose-watch"))
        func imports(_ symbol: String) -> Bool { program.range(of: Data(symbol.utf8)) != nil }
        #expect(imports("zmq_poll"), "where imported symbols are looked for there are some")
        // AsyncIteratorProtocol's own `next()`: macOS 15.4 is the first to have it, though it is declared for 15.0.
        #expect(!imports("$sScIsE4next7ElementQzSgyYa7FailureQzYKF"))
    }
}

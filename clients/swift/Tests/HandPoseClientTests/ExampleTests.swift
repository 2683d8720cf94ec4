import Foundation
import TestSupport
import Testing

/// The examples do what they say, in Swift and in Python.
@Suite(.serialized, .enabled(if: Repository.hasDaemon, "make setup makes .venv"))
struct ExampleTests {
    @Test("Pinch to click clicks twice when a hand pinches twice", arguments: ["Swift", "Python"])
    func pinchToClick(_ language: String) throws {
        let folder = try TemporaryFolder()
        let camera = try PythonProcess("gestures.py", [folder.path, "cam"])
        #expect(camera.line() == "ready")
        let environment = ["WILOR_SIDECAR_RUN": folder.path]
        let twin = Repository.root.appendingPathComponent("clients/python/examples/pinch_to_click.py").path
        let example =
            try language == "Swift"
            ? Tool("pinch-to-click", ["cam"], environment: environment)
            : Tool(Repository.python, [twin, "cam"], environment: environment)
        #expect((1...4).map { _ in example.line() } == ["down", "up", "down", "up"])
        example.kill()
        camera.finish()
    }
}

import Foundation
import TestSupport
import Testing

/// The examples do what they say, in Swift and in Python.
@Suite(.serialized, .enabled(if: Repository.hasDaemon, "make setup makes .venv"), .timeLimit(.minutes(10)))
struct ExampleTests {
    /// Longer than a busy machine lets anybody wait for a frame that was sent.
    private static let goneAfterMs = "2000"

    /// What `gestures.py` plays, and what is clicked then: no phantom click, and no button stays pressed.
    private static let stories = [
        "pinch twice": ["down", "up", "down", "up"],
        "leave": ["down", "up", "down", "up"],  // the last one because camera and daemon are gone
        "two hands": ["down", "up"],
        "restart": ["down", "up", "down", "up", "down", "up"],
    ]

    @Test("Pinch to click presses and releases", arguments: ["Swift", "Python"], stories.keys.sorted())
    func pinchToClick(_ language: String, _ story: String) throws {
        let clicks = try #require(Self.stories[story])
        let folder = try TemporaryFolder()
        let camera = try PythonProcess("gestures.py", [folder.path, "cam", story])
        #expect(camera.line() == "ready")
        let environment = ["WILOR_SIDECAR_RUN": folder.path]
        let following = ["cam", "right", Self.goneAfterMs]
        let twin = Repository.root.appendingPathComponent("clients/python/examples/pinch_to_click.py").path
        let example =
            try language == "Swift"
            ? Tool("pinch-to-click", following, environment: environment)
            : Tool(Repository.python, [twin] + following, environment: environment)
        let clicked = clicks.map { _ in
            let click = example.line()
            camera.write("next\n")
            return click
        }
        #expect(clicked == clicks)
        camera.finish()
        example.kill()
        #expect(example.line() == "")
    }
}

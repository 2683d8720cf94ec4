// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "wilor-sidecar-swift",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "HandPoseClient", targets: ["HandPoseClient"]),
        .library(name: "HandPoseProtocol", targets: ["HandPoseProtocol"]),
        .executable(name: "handpose-watch", targets: ["handpose-watch"]),
    ],
    targets: [
        .systemLibrary(
            name: "CZeroMQ",
            pkgConfig: "libzmq",
            providers: [.brew(["zeromq", "pkgconf"]), .apt(["libzmq3-dev", "pkg-config"])]
        ),
        .target(name: "HandPoseProtocol"),
        .target(name: "HandPoseClient", dependencies: ["CZeroMQ", "HandPoseProtocol"]),
        .executableTarget(name: "handpose-watch", dependencies: ["HandPoseClient"]),
        .executableTarget(
            name: "pinch-to-click", dependencies: ["HandPoseClient"], path: "Examples/PinchToClick"
        ),
        .target(name: "TestSupport", path: "Tests/TestSupport"),
        .testTarget(name: "HandPoseProtocolTests", dependencies: ["HandPoseProtocol", "TestSupport"]),
        .testTarget(
            name: "HandPoseClientTests",
            dependencies: ["HandPoseClient", "TestSupport", "handpose-watch", "pinch-to-click"],
            exclude: ["Python"]
        ),
    ],
    swiftLanguageModes: [.v6]
)

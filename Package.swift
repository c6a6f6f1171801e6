// swift-tools-version: 6.2
import PackageDescription

// CI turns warnings into errors; a user with a newer compiler is not stopped by what it newly warns of.
let ours: [SwiftSetting] = Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)]

// OpenVINO's wheel is unpacked here by deploy/setup.sh. DT_RPATH (not RUNPATH), so that OpenCV's own dependency on
// oneTBB resolves to the newer copy that OpenVINO brings: one process, one TBB.
let openVINO = Context.environment["ADREACT_PREFIX", default: "/opt/adreact"] + "/openvino"
let openVINOLinking: [LinkerSetting] = [
    .unsafeFlags(["-L\(openVINO)/lib", "-Xlinker", "--disable-new-dtags", "-Xlinker", "-rpath", "-Xlinker", "\(openVINO)/lib"])
]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

func node(_ name: String, _ libraries: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: libraries + ["NodeKit", argumentParser], swiftSettings: ours,
        linkerSettings: openVINOLinking)
}

/// Tests of a library. `not`: folders that the tests read from the source tree, or that made what they read.
func tests(
    _ library: String, of libraries: [Target.Dependency]? = nil, not excluded: [String] = [], resources: [Resource] = []
) -> Target {
    .testTarget(
        name: "\(library)Tests", dependencies: libraries ?? [.init(stringLiteral: library)], exclude: excluded,
        resources: resources, swiftSettings: ours, linkerSettings: openVINOLinking)
}

let package = Package(
    name: "AdReact",
    products: ["demuxer", "audio-node", "face-node", "rppg-node", "fusion-node", "sink", "adreact"].map {
        .executable(name: $0, targets: [$0])
    } + [.library(name: "VirtualCamera", type: .dynamic, targets: ["VirtualCamera"])],  // for a test, loaded before the demuxer
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Executables: parse, wire up, run.
        node("demuxer", ["MediaKit", "CAVDevice"]),
        node("audio-node", ["MediaKit", "Media", "Voice", "Fusion"]),
        node("face-node", ["MediaKit", "Media", "Face"]),
        node("rppg-node", ["MediaKit", "Media", "Face", "Pulse"]),
        node("fusion-node", ["FusionKit"]),
        node("sink", ["Fusion"]),
        node("adreact", ["Fusion"]),

        // What the nodes share. FFmpeg and its hundred libraries burden those only that handle media, SQLite only fusion-node.
        .target(
            name: "NodeKit",
            dependencies: [
                "Wire", "StreamLog", "ZeroMQTransport", "Fusion",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                argumentParser,
            ], swiftSettings: ours),
        .target(name: "MediaKit", dependencies: ["NodeKit", "Media"], swiftSettings: ours),
        .target(
            name: "FusionKit", dependencies: ["NodeKit", "Fusion", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: ours),

        // Delivery.
        .target(
            name: "Wire", dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")],
            exclude: ["adreact"], swiftSettings: ours),
        .target(
            name: "StreamLog",
            dependencies: [
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "OrderedCollections", package: "swift-collections"),
            ], swiftSettings: ours),
        .target(name: "ZeroMQTransport", dependencies: ["CZeroMQ", "Wire", "StreamLog"], swiftSettings: ours),

        // Algorithms: no sockets, files or processes.
        .target(name: "Media", dependencies: ["CFFmpeg"], swiftSettings: ours),
        .target(name: "Voice", dependencies: ["Inference", "CFFTW", "COpenBLAS"], swiftSettings: ours),
        .target(name: "Face", dependencies: ["Media", "Inference", "COpenCV"], swiftSettings: ours),
        .target(name: "Pulse", dependencies: ["Media", "Inference", "CFFTW", "COpenBLAS"], swiftSettings: ours),
        .target(name: "Fusion", swiftSettings: ours),
        .target(name: "Inference", dependencies: ["COpenVINO", "CNettle"], swiftSettings: ours, linkerSettings: openVINOLinking),

        // C.
        .systemLibrary(name: "CNettle"),
        .systemLibrary(name: "CZeroMQ"),
        .target(
            name: "CFFmpeg",
            linkerSettings: ["avformat", "avcodec", "swresample", "swscale", "avutil"].map { .linkedLibrary($0) }),
        .systemLibrary(name: "CAVDevice"),
        .systemLibrary(name: "CFFTW"),
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas"),
        .systemLibrary(name: "COpenVINO", pkgConfig: "openvino"),
        .target(
            name: "COpenCV",
            cxxSettings: [.unsafeFlags(["-I/usr/include/opencv4"])],
            linkerSettings: ["opencv_objdetect", "opencv_imgproc", "opencv_core"].map { .linkedLibrary($0) }),

        // Tests: one folder per library, and real processes. The writer is there to be killed.
        .executableTarget(
            name: "poisoned-node", dependencies: ["MediaKit", "Media", "Wire"], path: "Tests/PoisonedNode", swiftSettings: ours,
            linkerSettings: openVINOLinking),
        .executableTarget(name: "journal-writer", dependencies: ["FusionKit"], path: "Tests/JournalWriter", swiftSettings: ours),
        .target(name: "VirtualCamera", path: "Tests/VirtualCamera"),
        .target(name: "Fuzzing", dependencies: ["Wire"], path: "Tests/Fuzzing", swiftSettings: ours),
        tests("StreamLog", of: ["StreamLog", "Fuzzing"]),
        tests("Wire", of: ["Wire", "Fuzzing"]),
        tests("ZeroMQTransport"),
        tests("Media"),
        tests("Voice", not: ["golden", "Fixtures"]),
        tests("Face", not: ["golden", "Fixtures"]),
        tests("Pulse", not: ["golden"], resources: [.copy("Fixtures")]),
        tests("Fusion", not: ["Golden"]),
        tests("Inference", not: ["Fixtures"]),
        tests("NodeKit", of: ["NodeKit", "Fuzzing", .product(name: "Logging", package: "swift-log")]),
        tests("MediaKit", of: ["MediaKit", .product(name: "Logging", package: "swift-log")]),
        tests("FusionKit", of: [
            "FusionKit", "Fuzzing", .product(name: "GRDB", package: "GRDB.swift"), .product(name: "Logging", package: "swift-log"),
        ]),
        tests("Process", of: ["NodeKit", "Fusion", "Fuzzing"]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)

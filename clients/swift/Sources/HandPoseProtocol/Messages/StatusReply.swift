/// How the daemon is.
public struct StatusReply: Answer, Equatable {
    /// What computes.
    public struct Device: Sendable, Equatable {
        /// `cpu` or `gpu`.
        public let name: String
        /// The library behind matrix products on a CPU; empty where MLX brings its own.
        public let blas: String
        /// Speed of a float32 product, measured at the start, 10^9 operations a second.
        public let gflops: Double
        /// Version of MLX.
        public let mlx: String
    }

    /// Memory in bytes, as it was after the last batch.
    public struct Memory: Sendable, Equatable {
        /// What MLX uses.
        public let active: Int
        /// What it keeps to use again.
        public let cache: Int
        /// The most that it has used.
        public let peak: Int
        /// The most that the process had resident.
        public let processPeak: Int
    }

    /// Work that is here, in crops.
    public struct Queue: Sendable, Equatable {
        /// Crops that wait for the network.
        public let waitingCrops: Int
        /// The most that may.
        public let waitingLimit: Int
        /// Crops that are in it.
        public let runningCrops: Int
    }

    /// The daemon's process now.
    public struct Process: Sendable, Equatable {
        /// Bytes in memory.
        public let resident: Int
        /// Time that it has computed, s, all threads together.
        public let cpuS: Double
        /// Threads that it has.
        public let threads: Int
        /// Descriptors, sockets among them.
        public let openFiles: Int
        /// The most descriptors that it may have.
        public let openFilesLimit: Int
    }

    /// How long a stage took, ms, over its last `count` times.
    public struct Percentiles: Sendable, Equatable {
        /// Half of them took less.
        public let p50: Double
        /// 95 of 100 took less.
        public let p95: Double
        /// 99 of 100 took less.
        public let p99: Double
        /// How many were looked at.
        public let count: Int
    }

    /// Name and version.
    public let server: String
    /// This life of the daemon; another after a restart.
    public let epoch: String
    /// Of its process.
    public let pid: Int
    /// What it is doing.
    public let state: DaemonState
    /// Why it is in that state; for people.
    public let reason: String
    /// True: it answered.
    public let live: Bool
    /// An estimate would be computed now.
    public let ready: Bool
    /// The network is in memory and every batch size has run; while the daemon drains, too.
    public let modelReady: Bool
    /// Since the process started, s.
    public let uptimeS: Double
    /// The network; nil until it is loaded.
    public let model: ModelInfo?
    /// What computes; nil until the model is loaded.
    public let device: Device?
    /// Nil until the daemon was ready once.
    public let memory: Memory?
    /// Work that is here.
    public let queue: Queue
    /// Counted since the start; one that is zero may be absent.
    public let counters: [String: Int]
    /// Of estimates, by stage: `queue`, `model`, `total`; a stage that was never timed is absent.
    public let latencyMs: [String: Percentiles]
    /// Topics that somebody listens to; for people.
    public let subscriptions: [String]

    /// What a request may hold.
    public let limits: HelloReply.Limits
    /// The daemon's process now.
    public let process: Process
    /// Of what serves, by name; for people.
    public let versions: [String: String]

    package init(from fields: MessageMap) throws(MalformedError) {
        try fields.checkAnswer()
        server = try fields.required("server").string()
        epoch = try fields.required("epoch").string()
        pid = try fields.required("pid").int()
        state = try fields.required("state").word(DaemonState.self)
        reason = try fields.required("reason").string()
        live = try fields.required("live").bool()
        ready = try fields.required("ready").bool()
        modelReady = try fields.optional("model_ready")?.bool() ?? false
        uptimeS = try fields.required("uptime_s").double()
        model = try ModelInfo.optional(in: fields)
        device = try fields.required("device").orNil.map(Device.init(from:))
        memory = try fields.required("memory").orNil.map(Memory.init(from:))
        queue = try Queue(from: fields.required("queue").map())
        counters = try fields.required("counters").map().all { field throws(MalformedError) in try field.int() }
        latencyMs = try fields.required("latency_ms").map().all(Percentiles.init(from:))
        subscriptions = try fields.required("subscriptions").strings()
        limits = try HelloReply.Limits(from: fields.required("limits").map())
        process = try Process(from: fields.required("process").map())
        versions = try fields.required("versions").map().all { field throws(MalformedError) in try field.string() }
    }
}

extension StatusReply.Device {
    init(from field: MessageField) throws(MalformedError) {
        let fields = try field.map()
        name = try fields.required("name").string()
        blas = try fields.required("blas").string()
        gflops = try fields.required("gflops").double()
        mlx = try fields.required("mlx").string()
    }
}

extension StatusReply.Memory {
    init(from field: MessageField) throws(MalformedError) {
        let fields = try field.map()
        active = try fields.required("active").int()
        cache = try fields.required("cache").int()
        peak = try fields.required("peak").int()
        processPeak = try fields.required("process_peak").int()
    }
}

extension StatusReply.Queue {
    init(from fields: MessageMap) throws(MalformedError) {
        waitingCrops = try fields.required("waiting_crops").int()
        waitingLimit = try fields.required("waiting_limit").int()
        runningCrops = try fields.required("running_crops").int()
    }
}

extension StatusReply.Percentiles {
    init(from field: MessageField) throws(MalformedError) {
        let fields = try field.map()
        p50 = try fields.required("p50").double()
        p95 = try fields.required("p95").double()
        p99 = try fields.required("p99").double()
        count = try fields.required("count").int()
    }
}

extension StatusReply.Process {
    init(from fields: MessageMap) throws(MalformedError) {
        resident = try fields.required("resident").int()
        cpuS = try fields.required("cpu_s").double()
        threads = try fields.required("threads").int()
        openFiles = try fields.required("open_files").int()
        openFilesLimit = try fields.required("open_files_limit").int()
    }
}

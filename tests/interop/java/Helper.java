import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Kafka's own tools behind one line protocol, because starting a JVM for each job would cost more
 * than the jobs. A command is one line of tab-separated words on standard input; the answer is one
 * line, "ok" or "error", a tab, and the result or what went wrong. Ends with its standard input.
 */
public final class Helper {
    private static final long PATIENCE_MS = 600_000;
    private static final HexFormat HEX = HexFormat.of();
    private static final Printed PRINTED = new Printed();

    public static void main(String[] args) throws Exception {
        PrintStream answers = System.out;
        System.setOut(new PrintStream(PRINTED, true));
        BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String answer;
            try {
                answer = "ok\t" + run(line.split("\t"));
            } catch (Throwable error) {
                error.printStackTrace();
                answer = "error\t" + error.toString().replace('\n', ' ');
            }
            answers.println(answer);
            answers.flush();
        }
        System.exit(0);
    }

    private static Object run(String[] a) throws Exception {
        switch (a[0]) {
            case "nodes": return waitForNodes(a[1], Integer.parseInt(a[2]));
            case "create": return createTopic(a[1], a[2], Integer.parseInt(a[3]),
                Short.parseShort(a[4]), Arrays.copyOfRange(a, 5, a.length));
            case "create-on": return createTopic(a[1], a[2], replicas(a[3]),
                Arrays.copyOfRange(a, 4, a.length));
            case "delete": return deleteTopic(a[1], a[2]);
            case "drop": return dropTopic(a[1], a[2]);
            case "add-partitions": return addPartitions(a[1], a[2], Integer.parseInt(a[3]));
            case "move": return move(a[1], a[2], replicas(a[3]));
            case "in-sync": return waitInSync(a[1], a[2], Integer.parseInt(a[3]));
            case "leader": return leader(a[1], a[2], Integer.parseInt(a[3]),
                Integer.parseInt(a[4]));
            case "records": return records(a[1], a[2]);
            case "read": return read(a[1], a[2], Path.of(a[3]));
            case "partitions": return partitions(Path.of(a[1]), Path.of(a[2]),
                Integer.parseInt(a[3]));
            case "dump": return dump(a[1], a[2]);
            case "user": return createUser(a[1], a[2], a[3]);
            default: throw new IllegalArgumentException("unknown command " + a[0]);
        }
    }

    /** For questions: one that is not answered soon is better asked again. */
    private static Admin admin(String bootstrap) {
        return admin(bootstrap, 5_000);
    }

    /** For changes: one that takes long, as a thousand partitions with ZooKeeper, is made once. */
    private static Admin patientAdmin(String bootstrap) {
        return admin(bootstrap, PATIENCE_MS);
    }

    private static Admin admin(String bootstrap, long requestTimeoutMs) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("default.api.timeout.ms", Long.toString(Math.max(20_000, requestTimeoutMs)));
        properties.put("request.timeout.ms", Long.toString(requestTimeoutMs));
        return Admin.create(properties);
    }

    /** Waits until the cluster has exactly `count` live brokers. */
    private static int waitForNodes(String bootstrap, int count) throws Exception {
        try (Admin admin = admin(bootstrap)) {
            retry("the cluster to have " + count + " brokers",
                () -> admin.describeCluster().nodes().get().size() == count);
        }
        return count;
    }

    /** A user of SCRAM, with both hashes. */
    private static String createUser(String bootstrap, String name, String password)
            throws Exception {
        try (Admin admin = patientAdmin(bootstrap)) {
            for (ScramMechanism hash : new ScramMechanism[] {
                    ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512}) {
                ScramCredentialInfo info = new ScramCredentialInfo(hash, 4096);
                admin.alterUserScramCredentials(
                    List.of(new UserScramCredentialUpsertion(name, info, password))).all().get();
            }
        }
        return name;
    }

    private static String createTopic(String bootstrap, String topic, int partitions,
            short replicas, String[] options) throws Exception {
        return create(bootstrap, new NewTopic(topic, partitions, replicas), replicas, options);
    }

    /** With the brokers of each partition, the one that is to lead first. */
    private static String createTopic(String bootstrap, String topic,
            Map<Integer, List<Integer>> replicas, String[] options) throws Exception {
        return create(bootstrap, new NewTopic(topic, replicas), replicas.get(0).size(), options);
    }

    private static String create(String bootstrap, NewTopic topic, int replicas, String[] options)
            throws Exception {
        Map<String, String> configs = new HashMap<>();
        for (String option : options) {
            String[] parts = option.split("=", 2);
            configs.put(parts[0], parts[1]);
        }
        try (Admin admin = patientAdmin(bootstrap)) {
            admin.createTopics(List.of(topic.configs(configs))).all().get();
        }
        waitInSync(bootstrap, topic.name(), replicas);
        waitUntilLed(bootstrap, topic.name());
        return topic.name();
    }

    /** "2,3;3,1" is partition 0 on the brokers 2 and 3, partition 1 on 3 and 1. */
    private static Map<Integer, List<Integer>> replicas(String text) {
        Map<Integer, List<Integer>> replicas = new HashMap<>();
        for (String partition : text.split(";")) {
            replicas.put(replicas.size(),
                Arrays.stream(partition.split(",")).map(Integer::valueOf).toList());
        }
        return replicas;
    }

    /** Returns when a topic of the same name can be created. */
    private static String deleteTopic(String bootstrap, String topic) throws Exception {
        try (Admin admin = patientAdmin(bootstrap)) {
            admin.deleteTopics(List.of(topic)).all().get();
            List<NewTopic> another = List.of(new NewTopic(topic, 1, (short) 1));
            CreateTopicsOptions dry = new CreateTopicsOptions().validateOnly(true);
            retry(topic + " to be gone",
                () -> admin.createTopics(another, dry).all().get() == null);
        }
        return topic;
    }

    /** Returns when the topic is marked as deleted: its name is not free yet. */
    private static String dropTopic(String bootstrap, String topic) throws Exception {
        try (Admin admin = patientAdmin(bootstrap)) {
            admin.deleteTopics(List.of(topic)).all().get();
        }
        return topic;
    }

    private static int addPartitions(String bootstrap, String topic, int count) throws Exception {
        try (Admin admin = patientAdmin(bootstrap)) {
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(count))).all().get();
        }
        return count;
    }

    /** Moves each partition to other brokers, and returns when no other has it any more. */
    private static String move(String bootstrap, String topic,
            Map<Integer, List<Integer>> replicas) throws Exception {
        Map<TopicPartition, Optional<NewPartitionReassignment>> moves = new HashMap<>();
        replicas.forEach((partition, brokers) -> moves.put(new TopicPartition(topic, partition),
            Optional.of(new NewPartitionReassignment(brokers))));
        try (Admin admin = patientAdmin(bootstrap)) {
            admin.alterPartitionReassignments(moves).all().get();
            retry(topic + " to be moved", () -> {
                if (!admin.listPartitionReassignments(moves.keySet()).reassignments().get()
                        .isEmpty()) {
                    return false;
                }
                for (TopicPartitionInfo p : describe(admin, topic)) {
                    List<Integer> brokers = p.replicas().stream().map(Node::id).toList();
                    if (!brokers.equals(replicas.get(p.partition())) || p.leader() == null
                            || !brokers.contains(p.leader().id())) {
                        return false;
                    }
                }
                return true;
            });
        }
        return topic;
    }

    /** Waits until every partition has a leader and `count` replicas in sync. */
    private static int waitInSync(String bootstrap, String topic, int count) throws Exception {
        try (Admin admin = admin(bootstrap)) {
            retry(topic + " to have " + count + " replicas in sync", () -> {
                for (TopicPartitionInfo p : describe(admin, topic)) {
                    if (p.leader() == null || p.leader().isEmpty() || p.isr().size() < count) {
                        return false;
                    }
                }
                return true;
            });
        }
        return count;
    }

    /** Brokers know who leads before the leader does: it refuses what comes then. Waits until all of them answer. */
    private static void waitUntilLed(String bootstrap, String topic) throws Exception {
        try (Admin admin = admin(bootstrap)) {
            retry(topic + " to be led", () -> ends(admin, topic) >= 0);
        }
    }

    /** The id of the broker that leads a partition, waiting for one other than `former`. */
    private static int leader(String bootstrap, String topic, int partition, int former)
            throws Exception {
        int[] leader = {-1};
        try (Admin admin = admin(bootstrap)) {
            retry(topic + "-" + partition + " to have another leader than " + former, () -> {
                var found = describe(admin, topic).get(partition).leader();
                leader[0] = found == null ? -1 : found.id();
                return leader[0] >= 0 && leader[0] != former;
            });
        }
        return leader[0];
    }

    /** The sum of a topic's end offsets: its records, if nothing was deleted and nothing else written. */
    private static long records(String bootstrap, String topic) throws Exception {
        try (Admin admin = patientAdmin(bootstrap)) {
            return ends(admin, topic);
        }
    }

    /** What the leaders say. */
    private static long ends(Admin admin, String topic) throws Exception {
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        describe(admin, topic).forEach(
            p -> ends.put(new TopicPartition(topic, p.partition()), OffsetSpec.latest()));
        return admin.listOffsets(ends).all().get().values().stream()
            .mapToLong(end -> end.offset()).sum();
    }

    private static List<TopicPartitionInfo> describe(Admin admin, String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions();
    }

    /** Admin calls fail while brokers come and go; only patience running out is an error. */
    private static void retry(String what, Callable<Boolean> done) throws Exception {
        long deadline = System.currentTimeMillis() + PATIENCE_MS;
        Throwable last = null;
        while (System.currentTimeMillis() < deadline) {
            try {
                if (done.call()) {
                    return;
                }
            } catch (ExecutionException error) {
                last = error;
            }
            Thread.sleep(200);
        }
        throw new IllegalStateException("waited in vain for " + what, last);
    }

    /**
     * Reads a topic from the first to the last offset there is now. One line a record: partition,
     * offset, timestamp type, timestamp, key, value, headers; bytes in hex, null as "-".
     */
    private static long read(String bootstrap, String topic, Path out) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("enable.auto.commit", "false");
        properties.put("check.crcs", "true");
        ByteArrayDeserializer bytes = new ByteArrayDeserializer();
        long count = 0;
        try (KafkaConsumer<byte[], byte[]> consumer =
                 new KafkaConsumer<>(properties, bytes, bytes);
             BufferedWriter lines = Files.newBufferedWriter(out)) {
            List<TopicPartition> all = new ArrayList<>();
            consumer.partitionsFor(topic)
                .forEach(p -> all.add(new TopicPartition(topic, p.partition())));
            consumer.assign(all);
            consumer.seekToBeginning(all);
            Map<TopicPartition, Long> ends = consumer.endOffsets(all);
            long deadline = System.currentTimeMillis() + PATIENCE_MS;
            while (all.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(500))) {
                    lines.write(line(r));
                    count++;
                }
                if (System.currentTimeMillis() > deadline) {
                    throw new IllegalStateException("could not read " + topic + " to " + ends);
                }
            }
        }
        return count;
    }

    private static String line(ConsumerRecord<byte[], byte[]> r) {
        List<String> headers = new ArrayList<>();
        for (Header h : r.headers()) {
            headers.add(hex(h.key().getBytes(StandardCharsets.UTF_8)) + "=" + hex(h.value()));
        }
        return r.partition() + "\t" + r.offset() + "\t" + r.timestampType() + "\t" + r.timestamp()
            + "\t" + hex(r.key()) + "\t" + hex(r.value()) + "\t" + String.join(",", headers) + "\n";
    }

    private static String hex(byte[] bytes) {
        return bytes == null ? "-" : HEX.formatHex(bytes);
    }

    /** The partition that Java's producer gives each key (one in hex a line), one a line. */
    private static int partitions(Path keys, Path out, int count) throws Exception {
        List<String> lines = new ArrayList<>();
        for (String key : Files.readAllLines(keys)) {
            int partition = BuiltInPartitioner.partitionForKey(HEX.parseHex(key), count);
            lines.add(Integer.toString(partition));
        }
        Files.write(out, lines);
        return lines.size();
    }

    /** What Kafka's DumpLogSegments prints of a log file, batches and checks without records. */
    private static String dump(String log, String out) throws Exception {
        Class<?> tool;
        try {
            tool = Class.forName("org.apache.kafka.tools.DumpLogSegments");
        } catch (ClassNotFoundException before4) {
            tool = Class.forName("kafka.tools.DumpLogSegments");
        }
        try (OutputStream file = new BufferedOutputStream(new FileOutputStream(out))) {
            PRINTED.target = file;
            String[] arguments = {"--files", log, "--deep-iteration"};
            tool.getMethod("main", String[].class).invoke(null, (Object) arguments);
        } finally {
            PRINTED.target = System.err;
        }
        return out;
    }

    /**
     * Where Kafka's tools print. It is switched rather than replaced, because Scala, in which the
     * tools before 4.0 are written, looks at System.out only once.
     */
    private static final class Printed extends OutputStream {
        private volatile OutputStream target = System.err;

        @Override public void write(int b) throws IOException {
            target.write(b);
        }

        @Override public void write(byte[] b, int offset, int length) throws IOException {
            target.write(b, offset, length);
        }

        @Override public void flush() throws IOException {
            target.flush();
        }
    }
}

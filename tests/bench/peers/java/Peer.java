import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/**
 * The Java client, as its ProducerPerformance uses it: a record and a callback for each. Arguments
 * and answer are those of the Rust producers (../src/params.rs, ../src/lib.rs).
 */
public final class Peer {
    private static final int KEY_BYTES = 8;

    private final Map<String, String> args = new HashMap<>();
    private final KafkaProducer<byte[], byte[]> producer;
    private final String topic;
    private final byte[][] values;
    private final byte[][] keys;
    private final int threads;
    private final boolean numbered;
    private final long limit;
    private final LongAdder acked = new LongAdder();
    private final LongAdder failed = new LongAdder();
    /** Microseconds; room for every record, so that no callback allocates. */
    private final long[] latencies;
    private final AtomicLong measured = new AtomicLong();

    public static void main(String[] words) throws Exception {
        new Peer(words).measure();
        System.exit(0);
    }

    private Peer(String[] words) throws IOException {
        for (String word : words) {
            String[] parts = word.split("=", 2);
            args.put(parts[0], parts[1]);
        }
        topic = args.get("topic");
        threads = (int) number("threads", 1);
        numbered = number("numbered", 0) > 0;
        long seconds = number("seconds", 0);
        limit = seconds == 0 ? Long.MAX_VALUE : seconds * 1_000_000_000;
        int size = (int) number("size", 100);
        byte[] bytes = Files.readAllBytes(Path.of(args.get("values")));
        values = new byte[Integer.highestOneBit(bytes.length / size)][];
        for (int i = 0; i < values.length; i++) {
            values[i] = Arrays.copyOfRange(bytes, i * size, (i + 1) * size);
        }
        keys = new byte[(int) number("keys", 0)][];
        for (int i = 0; i < keys.length; i++) {
            keys[i] = String.format("%0" + KEY_BYTES + "d", i).getBytes(StandardCharsets.UTF_8);
        }
        latencies = new long[number("rate", 0) == 0 ? 0 : (int) number("records", 1_000_000)];
        producer = new KafkaProducer<>(properties(size));
    }

    private Properties properties(int size) {
        Properties p = new Properties();
        p.put("bootstrap.servers", args.get("bootstrap"));
        p.put("client.id", args.getOrDefault("id", "bench"));
        p.put("acks", "all");
        p.put("enable.idempotence", "true");
        p.put("linger.ms", Long.toString(number("linger", 5)));
        p.put("compression.type", args.getOrDefault("compression", "none"));
        // As the others: they wait for room.
        p.put("max.block.ms", "300000");
        p.put("key.serializer", ByteArraySerializer.class.getName());
        p.put("value.serializer", ByteArraySerializer.class.getName());
        long batch = number("batch", 0);
        if (batch == 1) {
            // Full by bytes: no second record fits.
            p.put("batch.size", Integer.toString(size + 100));
        } else if (batch > 0) {
            p.put("batch.size", Long.toString(batch));
        }
        if (number("buffer", 0) > 0) {
            p.put("buffer.memory", args.get("buffer"));
        }
        return p;
    }

    private void measure() throws Exception {
        if (number("warmup", 0) > 0) {
            send(number("warmup", 0), 0);
        }
        long warm = acked.sumThenReset();
        measured.set(0);

        double[] cpu = cpu();
        long begin = System.nanoTime();
        send(number("records", 1_000_000), number("rate", 0));
        double seconds = (System.nanoTime() - begin) / 1e9;
        double[] end = cpu();

        String idle = "null";
        if (number("idle", 0) > 0) {
            double[] before = cpu();
            Thread.sleep(number("idle", 0) * 1000);
            double[] after = cpu();
            idle = Double.toString(after[0] - before[0] + after[1] - before[1]);
        }
        System.out.printf(Locale.ROOT,
            "{\"version\":\"%s\",\"warmup\":%d,\"acked\":%d,\"failed\":%d,\"seconds\":%f,"
                + "\"cpu_user\":%f,\"cpu_system\":%f,\"peak_rss\":%d,\"latency_us\":%s,"
                + "\"idle_cpu\":%s}%n",
            AppInfoParser.getVersion(), warm, acked.sum(), failed.sum(), seconds,
            end[0] - cpu[0], end[1] - cpu[1], peakRss(), percentiles(50, 99, 99.9, 100), idle);
    }

    /** Sends so many records, or for as long as `seconds` says, and waits for their outcomes. */
    private void send(long records, long rate) throws Exception {
        long start = System.nanoTime();
        Thread[] others = new Thread[threads - 1];
        for (int i = 0; i < others.length; i++) {
            int thread = i + 1;
            others[i] = new Thread(() -> sendShare(thread, start, records, rate));
            others[i].start();
        }
        sendShare(0, start, records, rate);
        for (Thread other : others) {
            other.join();
        }
        producer.flush();
    }

    private void sendShare(int thread, long start, long records, long rate) {
        long total = ours(records, thread);
        long sent = 0;
        while (sent < total) {
            long now = System.nanoTime() - start;
            if (now >= limit) {
                break;
            }
            // Open loop: what a stall keeps back was due all the same, and its latency counts.
            long due = total;
            if (rate > 0) {
                due = Math.min(total, ours(now / 1_000 * rate / 1_000_000 + 1, thread));
            }
            if (due <= sent) {
                long next = (thread + sent * threads) * 1_000_000 / rate * 1_000;
                LockSupport.parkNanos(Math.max(1_000, next - now));
                continue;
            }
            for (long until = Math.min(due, sent + 64); sent < until; sent++) {
                produce(thread + sent * threads, start, rate);
            }
        }
    }

    private long ours(long all, int thread) {
        return all <= thread ? 0 : (all - thread + threads - 1) / threads;
    }

    private void produce(long number, long start, long rate) {
        ProducerRecord<byte[], byte[]> record =
            new ProducerRecord<>(topic, key(number), value(number));
        long due = rate == 0 ? 0 : start + number * 1_000_000 / rate * 1_000;
        producer.send(record, (metadata, error) -> {
            if (error != null) {
                failed.increment();
                return;
            }
            acked.increment();
            if (rate > 0) {
                long took = (System.nanoTime() - due) / 1_000;
                latencies[(int) measured.getAndIncrement()] = took;
            }
        });
    }

    private byte[] value(long number) {
        byte[] value = values[(int) (number & (values.length - 1))];
        if (!numbered) {
            return value;
        }
        value = value.clone();
        byte[] text = String.format("%010d", number).getBytes(StandardCharsets.UTF_8);
        System.arraycopy(text, 0, value, 0, text.length);
        return value;
    }

    private byte[] key(long number) {
        if (keys.length == 0) {
            return null;
        }
        long spread = (number * 0x9e3779b97f4a7c15L) >>> 32;
        return keys[(int) ((spread * keys.length) >>> 32)];
    }

    private String percentiles(double... which) {
        long[] sorted = Arrays.copyOf(latencies, (int) measured.get());
        Arrays.sort(sorted);
        long[] found = new long[which.length];
        for (int i = 0; i < which.length && sorted.length > 0; i++) {
            int rank = (int) Math.ceil(which[i] / 100 * sorted.length);
            found[i] = sorted[Math.max(rank, 1) - 1];
        }
        return Arrays.toString(found);
    }

    private long number(String name, long otherwise) {
        String text = args.get(name);
        return text == null ? otherwise : Long.parseLong(text);
    }

    /** Seconds of processor time of the whole JVM, user and system: 100 ticks a second in Linux. */
    private static double[] cpu() throws IOException {
        String stat = Files.readString(Path.of("/proc/self/stat"));
        String[] words = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return new double[] {Long.parseLong(words[11]) / 100.0, Long.parseLong(words[12]) / 100.0};
    }

    private static long peakRss() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM:")) {
                return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
            }
        }
        throw new IOException("no VmHWM");
    }
}

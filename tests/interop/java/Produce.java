import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's own producer behind the same contract as `klamm produce -K`: lines "key DELIM value" from
 * standard input, exit 0 only if every record was acknowledged. A peer for the dev broker, and the
 * proof that the lost-answers staging bites.
 *
 * Arguments: bootstrap topic delimiter [property=value]...
 */
public final class Produce {
    public static void main(String[] args) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", args[0]);
        for (int i = 3; i < args.length; i++) {
            String[] option = args[i].split("=", 2);
            properties.put(option[0], option[1]);
        }
        AtomicLong acknowledged = new AtomicLong();
        AtomicLong failed = new AtomicLong();
        ByteArraySerializer bytes = new ByteArraySerializer();
        BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(properties, bytes, bytes)) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] parts = line.split(args[2], 2);
                byte[] key = parts[0].getBytes(StandardCharsets.UTF_8);
                byte[] value = parts[1].getBytes(StandardCharsets.UTF_8);
                producer.send(new ProducerRecord<>(args[1], key, value), (metadata, error) ->
                    (error == null ? acknowledged : failed).incrementAndGet());
            }
            producer.flush();
        }
        System.err.println("acknowledged " + acknowledged + ", failed " + failed);
        System.exit(failed.get() == 0 ? 0 : 1);
    }
}

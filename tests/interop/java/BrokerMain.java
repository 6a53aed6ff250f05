import java.io.File;
import java.util.Properties;
import org.apache.kafka.common.utils.Utils;

/**
 * Runs one unchanged Kafka node from a properties file. Two things are added for the tests: an empty
 * log folder is formatted in the same JVM (a second one costs a second), and the node halts when its
 * standard input ends, so that no broker outlives the test that started it, however that ended.
 */
public final class BrokerMain {
    public static void main(String[] args) throws Exception {
        String file = args[0];
        String clusterId = args[1];
        Properties properties = Utils.loadProps(file);
        if (!new File(properties.getProperty("log.dirs"), "meta.properties").exists()) {
            String[] format = {"format", "-t", clusterId, "-c", file};
            if (kafka.tools.StorageTool.execute(format, System.err) != 0) {
                System.exit(1);
            }
        }
        EndOfInput.halts();
        kafka.Kafka.main(new String[] {file});
    }
}

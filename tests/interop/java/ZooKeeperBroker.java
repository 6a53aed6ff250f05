import java.io.File;
import java.net.InetSocketAddress;
import java.util.Properties;
import org.apache.kafka.common.utils.Utils;
import org.apache.zookeeper.server.ServerCnxnFactory;
import org.apache.zookeeper.server.ZooKeeperServer;

/**
 * Runs one unchanged Kafka node of the time before KRaft from a properties file, with the ZooKeeper
 * of its own dependencies in the same JVM: the one that zookeeper.connect names. Halts when its
 * standard input ends, as BrokerMain does.
 */
public final class ZooKeeperBroker {
    private static final int TICK_MS = 2_000;
    private static final int MOST_CONNECTIONS = 100;

    public static void main(String[] args) throws Exception {
        EndOfInput.halts();
        Properties properties = Utils.loadProps(args[0]);
        File data = new File(properties.getProperty("log.dirs") + "-zookeeper");
        String[] address = properties.getProperty("zookeeper.connect").split(":");
        ServerCnxnFactory connections = ServerCnxnFactory.createFactory(
            new InetSocketAddress(address[0], Integer.parseInt(address[1])), MOST_CONNECTIONS);
        connections.startup(new ZooKeeperServer(data, data, TICK_MS));
        kafka.Kafka.main(new String[] {args[0]});
    }
}

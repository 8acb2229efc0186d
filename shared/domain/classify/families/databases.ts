import type { Family } from '../family.ts'

/** Sources: manuals of PostgreSQL, MySQL, MongoDB and Redis tools, and of the common migration tools. */
export const databases: Family = {
  programs: ['mysqladmin', 'mongosh', 'mongo', 'redis-cli', 'valkey-cli', 'pg_restore', 'mongorestore', 'pg_dump', 'pg_dumpall', 'mysqldump',
    'mongodump', 'mongoexport', 'mongoimport', 'pg_ctl', 'createdb', 'etcdctl', 'influx', 'rabbitmqctl', 'rabbitmqadmin',
    'kafka-topics', 'kafka-topics.sh', 'kafka-console-consumer.sh', 'kafka-console-consumer', 'arangosh', 'zkCli.sh', 'zookeepercli', 'rpk', 'kcat', 'mariadb-dump', 'mysqlimport', 'pg_ctlcluster', 'pg_basebackup', 'memcflush', 'memcstat', 'pg_lsclusters', 'hdfs', 'hadoop', 'gcs', 'taos', 'etcdutl', 'tarantoolctl', 'couchbase-cli', 'cbq', 'curator', 'memcached-tool', 'pg_isready', 'mysqlshow'],
  valueOptions: ['-h', '-p', '-U', '-u', '-n', '-a', '-d', '--host', '--port', '--db', '--password', '--user', '--endpoints', '-S', '-P'],
  outputOptions: ['-f', '--file', '--result-file'],
  rules: [
    { line: 'dropDatabase|\\.drop\\s*\\(|(deleteMany|remove|deleteOne)\\s*\\(|dropIndex|dropUser|dropRole|createUser|grantRoles|shutdownServer|updateUser|renameCollection|(updateMany)\\s*\\(\\s*\\{\\s*\\}',
      class: 'destructive', reason: 'destroys data in a database', yes: ["mongosh --eval 'db.dropDatabase()'", "mongosh x --eval 'db.a.deleteMany({})'"], no: ["mongosh --eval 'db.a.find()'"] },
    { sub: 'flushall|flushdb|del|unlink|shutdown|config|acl|script|debug|eval|evalsha|rename|migrate|replicaof|slaveof|cluster|swapdb|restore|xtrim|ltrim|FLUSHALL|FLUSHDB|DEL|UNLINK|SHUTDOWN|CONFIG|ACL|SCRIPT|DEBUG|EVAL|RENAME|CLUSTER',
      unlessLine: '(config|acl) (get|list|whoami|cat)|cluster (info|nodes|slots|shards)', class: 'destructive', reason: 'destroys data in a database', yes: ['redis-cli FLUSHALL', 'redis-cli -h h del k', 'etcdctl del k'],
      no: ['redis-cli get k', 'redis-cli config get maxmemory'] },
    { line: '(^| )(drop|flush-hosts|shutdown|kill|password|deleteall|rmr|-rm|-rmr|-expunge|delete_vhost|delete_queue|purge_queue|delete_user|reset|force_reset|stop_app|delete|purge|--delete|--reset-offsets|user|snapshot|defrag|promote)( |$)', unlessLine: '(^| )(status|list|list_\\w+|get|--list|--describe|user list)( |$)|^(-[nhpau] \\S+ )*(?i:get|set|h(get|set|getall|keys)|l(range|len|push|pop)|rpush|s(add|members)|zrange|ttl|exists|type|keys|scan|incr|expire|publish|object) ',
      class: 'destructive', reason: 'drops, stops or resets', yes: ['mysqladmin drop x', 'rabbitmqctl reset', 'kafka-topics.sh --delete --topic t'], no: ['mysqladmin status', 'rabbitmqctl list_queues'] },
    { line: '(^| )(--clean|--drop)( |$)|^(?!.*--(collection|db|uri|type|out)).*(^| )-[a-z]*c [^-].* -d ', class: 'destructive', reason: 'drops what is there before it restores', yes: ['pg_restore --clean -d x f', 'mongorestore --drop d'], no: ['pg_restore -l f', 'mongoexport -c t'] },
    { line: 'shutdown *:|dropAllUsers|fsyncLock|compact *:', class: 'destructive', reason: 'stops the database, or drops its users', yes: ["mongosh --eval 'db.adminCommand({shutdown:1})'"], no: ["mongosh --eval 'db.adminCommand({ping:1})'"] },
    { line: '^--servers|_drop\\(|(^| )(-s|-execute|--execute|-e) (?i:delete|drop|truncate)', class: 'destructive', reason: 'empties a store', yes: ['memcflush --servers=h', "influx -execute 'DROP DATABASE x'"], no: ["influx -execute 'SHOW DATABASES'"] },
    { sub: '** stop|restart|promote|kill', class: 'destructive', reason: 'stops the database', yes: ['pg_ctl stop'], no: ['pg_ctl status'] },
    { line: '^(--topic|--bootstrap-server) |^dfs -(ls|cat|du|df|count|stat|tail|head|test|find)( |$)|^fs -(ls|cat|du|df|count|stat|tail)( |$)', unlessLine: '--delete|--alter|--create| -rm', class: 'read', reason: 'only looks', yes: ['hdfs dfs -ls /a', 'kafka-console-consumer --topic t'], no: ['hdfs dfs -rm /a'] },
    { line: 'status|--list|--describe|(^| )(get|ping|info|ttl|keys|scan|exists|type|llen|lrange|hgetall|hget|smembers|zrange|dbsize|memory|monitor|strlen|list_\\w+|find|GET|PING|INFO|KEYS|SCAN|TTL)( |$)|\\.(find|count\\w*|aggregate|stats|distinct|getIndexes)\\(|show (dbs|collections|databases)',
      unlessLine: '\\$out|\\$merge|getset|getdel', class: 'read', reason: 'only looks', yes: ['redis-cli get k', "mongosh --eval 'db.a.find()'"], no: ['redis-cli set k v'] },
  ],
  otherwise: { class: 'write', reason: 'changes a database' },
}

/** Programs that only ever drop or reset, or start something that does. */
export const databaseDroppers: Family = {
  programs: ['dropdb', 'dropuser', 'createuser', 'pg_dropcluster', 'pg_resetwal', 'kafka-delete-records.sh', 'neo4j-admin', 'initdb', 'pg_archivecleanup', 'mysql_secure_installation', 'mysql_install_db', 'mysqld', 'pg_upgrade', 'kafka-streams-application-reset'],
  rules: [],
  otherwise: { class: 'destructive', reason: 'drops a database, or changes its users' },
}

export const migrations: Family = {
  programs: ['prisma', 'drizzle-kit', 'knex', 'sequelize', 'sequelize-cli', 'typeorm', 'mikro-orm', 'alembic', 'flyway', 'liquibase', 'rails', 'artisan', 'django-admin', 'manage.py', 'dbmate', 'goose',
    'migrate', 'sqlx', 'diesel', 'sea-orm-cli', 'sea', 'bin/console', 'console', 'phinx', 'yoyo', 'piccolo', 'aerich', 'tern', 'atlas', 'hasura', 'flask', 'wp', 'drush', 'doctrine', 'sqitch'],
  valueOptions: ['--env', '--schema', '-d', '--database', '--url', '-path', '-dir', '-u', '-c', '--config'],
  guardsProduction: true,
  rules: [
    { sub: 'db|ef|migrate downgrade|fresh', class: 'destructive', reason: 'drops, resets or rolls back a database', yes: ['flask db downgrade base', 'sea-orm-cli migrate fresh'], no: ['flask db upgrade'] },
    { sub: 'migrate|db|database|schema|metadata|mig reset|drop|down|rollback|push|wipe|destroy|clear|clean|revert|redo|purge|delete|redo', class: 'destructive', reason: 'drops, resets or rolls back a database',
      yes: ['prisma migrate reset', 'sqlx database drop', 'wp db reset --yes', 'prisma db push'], no: ['prisma migrate dev', 'prisma db pull'] },
    { sub: '*:drop*|*:reset|*:fresh|*:refresh|*:wipe|*:rollback|*:purge|*:undo*|*:down|*:revert|*:truncate*|*:destroy|*:clear-all|migrate:undo*', class: 'destructive', reason: 'drops, resets or rolls back a database',
      yes: ['rails db:drop', 'artisan migrate:fresh', 'knex migrate:rollback', 'sequelize db:migrate:undo:all'], no: ['rails db:migrate', 'artisan migrate:status'] },
    { sub: 'flush|reset_db|sqlflush|reset|drop|downgrade|undo|clean|dropAll|drop-all|rollback|rollback-count|down|down-to|redo|revert|schema:drop|delete|sql:drop|sql-drop|site-install|purge|zero', class: 'destructive', reason: 'drops, resets or rolls back a database',
      yes: ['alembic downgrade -1', 'manage.py flush', 'flyway clean', 'goose down'], no: ['alembic upgrade head', 'flyway info'] },
    { sub: 'plugin|theme|core|user|post|search-replace uninstall|delete|download|update', class: 'destructive', reason: 'removes or replaces parts of a site', yes: ['wp plugin uninstall x'], no: ['wp plugin list'] },
    { sub: 'search-replace', unless: ['--dry-run'], class: 'destructive', reason: 'rewrites text in every table', yes: ['wp search-replace a b'], no: ['wp search-replace a b --dry-run'] },
    { flags: ['--force-reset', '--accept-data-loss', '--fake-drop'], class: 'destructive', reason: 'accepts the loss of data', yes: ['prisma db push --accept-data-loss'], no: ['prisma generate'] },
    { sub: 'migrate ** zero', class: 'destructive', reason: 'takes back every migration', yes: ['manage.py migrate app zero'], no: ['manage.py migrate app'] },
    { sub: 'migrate|upgrade deploy', class: 'destructive', reason: 'migrates a deployed database', yes: ['prisma migrate deploy'], no: ['prisma migrate dev'] },
    { sub: 'runner|eval|tinker|shell|console|dbconsole|dbshell|query', class: 'destructive', reason: 'runs code in the application, which cannot be judged', yes: ["rails runner 'User.delete_all'"], no: ['rails routes'] },
    { sub: 'status|info|history|current|show|validate|check|routes|list|version|heads|help|showmigrations|diff|migrate:status|db:version|route:list|about|inspect|lint', class: 'read', reason: 'only looks', yes: ['alembic current', 'rails routes'], no: ['alembic upgrade head'] },
    { sub: 'run|session|web|acp', unlessLine: '^(?!run|session|web|acp)', class: 'destructive', reason: 'starts another agent, where goose is that agent', yes: ['goose run -t x'], no: ['goose status'] },
    { sub: 'migrate status|diff', class: 'read', reason: 'only looks', yes: ['prisma migrate status'], no: ['prisma migrate dev'] },
  ],
  otherwise: { class: 'write', reason: 'changes a database or the project' },
}

/** Source: the Cypher manual. */
export const graphs: Family = {
  programs: ['cypher-shell', 'neo4j', 'gremlin', 'gremlin.sh', 'sparql'],
  rules: [
    { line: '(?i:\\b(detach +)?delete\\b|\\bdrop\\b|\\bremove\\b|\\bclear +(all|graph)|\\bset +\\w+ *=|\\.drop\\()|(^| )(-f|--file)[= ]', class: 'destructive', reason: 'destroys data in a database, or runs a file', yes: ["cypher-shell 'MATCH (n) DETACH DELETE n'"], no: ["cypher-shell 'MATCH (n) RETURN n'"] },
    { line: '(?i:^[^-]*\\b(return|show)\\b)|^(status|version|--version)$', unlessLine: '(?i:\\b(create|merge|set|delete|call)\\b)', class: 'read', reason: 'only looks', yes: ["cypher-shell 'MATCH (n) RETURN n'"], no: ["cypher-shell 'CREATE (n)'"] },
  ],
  otherwise: { class: 'write', reason: 'changes a database' },
}

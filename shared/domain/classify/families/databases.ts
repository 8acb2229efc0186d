import type { Family } from '../family.ts'

/** Sources: manuals of PostgreSQL, MySQL, MongoDB and Redis tools, and of the common migration tools. */
export const databases: Family = {
  programs: ['mysqladmin', 'mongosh', 'mongo', 'redis-cli', 'valkey-cli', 'pg_restore', 'mongorestore', 'pg_dump', 'pg_dumpall', 'mysqldump',
    'mongodump', 'mongoexport', 'mongoimport', 'pg_ctl', 'createdb', 'etcdctl', 'influx', 'cypher-shell', 'rabbitmqctl', 'rabbitmqadmin',
    'kafka-topics', 'kafka-topics.sh', 'kafka-consumer-groups.sh', 'curator', 'memcached-tool', 'pg_isready', 'mysqlshow'],
  valueOptions: ['-h', '-p', '-U', '-u', '-n', '-a', '-d', '--host', '--port', '--db', '--password', '--user', '--endpoints', '-S', '-P'],
  outputOptions: ['-f', '--file', '--result-file'],
  rules: [
    { line: 'dropDatabase|\\.drop\\s*\\(|(deleteMany|remove|deleteOne)\\s*\\(|dropIndex|dropUser|dropRole|createUser|grantRoles|shutdownServer|updateUser|renameCollection|(updateMany)\\s*\\(\\s*\\{\\s*\\}',
      class: 'destructive', reason: 'destroys data in a database', yes: ["mongosh --eval 'db.dropDatabase()'", "mongosh x --eval 'db.a.deleteMany({})'"], no: ["mongosh --eval 'db.a.find()'"] },
    { sub: 'flushall|flushdb|del|unlink|shutdown|config|acl|script|debug|eval|evalsha|rename|migrate|replicaof|slaveof|cluster|swapdb|restore|xtrim|ltrim|FLUSHALL|FLUSHDB|DEL|UNLINK|SHUTDOWN|CONFIG|ACL|SCRIPT|DEBUG|EVAL|RENAME|CLUSTER',
      unlessLine: '(config|acl) (get|list|whoami|cat)|cluster (info|nodes|slots|shards)', class: 'destructive', reason: 'destroys data in a database', yes: ['redis-cli FLUSHALL', 'redis-cli -h h del k', 'etcdctl del k'],
      no: ['redis-cli get k', 'redis-cli config get maxmemory'] },
    { line: '(^| )(drop|flush-hosts|shutdown|kill|password|delete_vhost|delete_queue|purge_queue|delete_user|reset|force_reset|stop_app|delete|purge|--delete|--reset-offsets|user|snapshot|defrag|promote)( |$)', unlessLine: '(^| )(status|list|list_\\w+|get|--list|--describe|user list)( |$)',
      class: 'destructive', reason: 'drops, stops or resets', yes: ['mysqladmin drop x', 'rabbitmqctl reset', 'kafka-topics.sh --delete --topic t'], no: ['mysqladmin status', 'rabbitmqctl list_queues'] },
    { flags: ['--clean', '-c', '--drop'], line: '--clean|--drop|(^| )-\\w*c', class: 'destructive', reason: 'drops what is there before it restores', yes: ['pg_restore --clean -d x f', 'mongorestore --drop d'], no: ['pg_restore -l f'] },
    { sub: 'stop|restart|promote|kill', class: 'destructive', reason: 'stops the database', yes: ['pg_ctl stop'], no: ['pg_ctl status'] },
    { line: 'status|--list|--describe|(^| )(get|ping|info|ttl|keys|scan|exists|type|llen|lrange|hgetall|hget|smembers|zrange|dbsize|memory|monitor|strlen|list_\\w+|find|GET|PING|INFO|KEYS|SCAN|TTL)( |$)|\\.(find|count\\w*|aggregate|stats|distinct|getIndexes)\\(|show (dbs|collections|databases)',
      unlessLine: '\\$out|\\$merge|getset|getdel', class: 'read', reason: 'only looks', yes: ['redis-cli get k', "mongosh --eval 'db.a.find()'"], no: ['redis-cli set k v'] },
  ],
  otherwise: { class: 'write', reason: 'changes a database' },
}

/** Programs that only ever drop or reset, or start something that does. */
export const databaseDroppers: Family = {
  programs: ['dropdb', 'dropuser', 'createuser', 'pg_dropcluster', 'pg_resetwal', 'kafka-delete-records.sh', 'neo4j-admin', 'initdb'],
  rules: [],
  otherwise: { class: 'destructive', reason: 'drops a database, or changes its users' },
}

export const migrations: Family = {
  programs: ['prisma', 'drizzle-kit', 'knex', 'sequelize', 'sequelize-cli', 'typeorm', 'mikro-orm', 'alembic', 'flyway', 'liquibase', 'rails', 'artisan', 'django-admin', 'manage.py', 'dbmate', 'goose',
    'migrate', 'sqlx', 'diesel', 'atlas', 'hasura', 'flask', 'wp', 'drush', 'doctrine', 'sqitch'],
  valueOptions: ['--env', '--schema', '-d', '--database', '--url', '-path', '-dir', '-u', '-c', '--config'],
  guardsProduction: true,
  rules: [
    { sub: 'migrate|db|database|schema|metadata|mig reset|drop|down|rollback|push|wipe|destroy|clear|clean|revert|redo|purge|delete|redo', class: 'destructive', reason: 'drops, resets or rolls back a database',
      yes: ['prisma migrate reset', 'sqlx database drop', 'wp db reset --yes', 'prisma db push'], no: ['prisma migrate dev', 'prisma db pull'] },
    { sub: '*:drop*|*:reset|*:fresh|*:refresh|*:wipe|*:rollback|*:purge|*:undo*|*:down|*:revert|*:truncate*|*:destroy|*:clear-all|migrate:undo*', class: 'destructive', reason: 'drops, resets or rolls back a database',
      yes: ['rails db:drop', 'artisan migrate:fresh', 'knex migrate:rollback', 'sequelize db:migrate:undo:all'], no: ['rails db:migrate', 'artisan migrate:status'] },
    { sub: 'flush|reset_db|sqlflush|reset|drop|downgrade|undo|clean|dropAll|drop-all|rollback|rollback-count|down|down-to|redo|revert|schema:drop|delete|sql:drop|sql-drop|site-install|purge|zero', class: 'destructive', reason: 'drops, resets or rolls back a database',
      yes: ['alembic downgrade -1', 'manage.py flush', 'flyway clean', 'goose down'], no: ['alembic upgrade head', 'flyway info'] },
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

-- The built-in tasks, ImplSpecs of every database. They are rows like any other (versioned; a job names them; their
-- parameters may be given defaults), and domain/built_in.py repeats them, so that `export` and `diff` leave out those
-- that nobody has changed.

select pg_catalog.set_config('shardkeeper.actor', 'shardkeeper', true);

insert into shardkeeper.impl_spec (name, entrypoint, description) values
    ('sleep', 'shardkeeper.tasks.sleep:Sleep', 'Built in: waits for parameters.seconds.'),
    ('http-get', 'shardkeeper.tasks.http_get:HttpGet', 'Built in: asks parameters.url.'),
    ('image-resize', 'shardkeeper.tasks.image_resize:ImageResize',
     'Built in: resizes the image parameters.source into parameters.target.'),
    ('sql', 'shardkeeper.tasks.sql:Sql', 'Built in: runs parameters.statement on parameters.connection.');

-- stamped here and now, by the actor that is set
set constraints shardkeeper.stamped immediate;
set constraints shardkeeper.stamped deferred;
select pg_catalog.set_config('shardkeeper.actor', '', true);

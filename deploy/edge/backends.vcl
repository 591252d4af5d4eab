# The servers of the API in compose.yaml, and who may purge. Replace this file on another network.

probe healthz {
    .url = "/healthz";
    .interval = 2s;
    .timeout = 1s;
    .window = 3;
    .threshold = 2;
    .initial = 2;
}

backend api_1 { .host = "api-1"; .port = "8000"; .probe = healthz; }
backend api_2 { .host = "api-2"; .port = "8000"; .probe = healthz; }

sub vcl_init {
    new origin = directors.round_robin();
    origin.add_backend(api_1);
    origin.add_backend(api_2);
}

# The worker `purge` is in one of these private networks.
acl purgers {
    "localhost";
    "10.0.0.0"/8;
    "172.16.0.0"/12;
    "192.168.0.0"/16;
}

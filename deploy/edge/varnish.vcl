# The edge: images are cached under one spelling and one normalised `Accept`; everything else goes to the API.
vcl 4.1;

import directors;
import std;

include "backends.vcl";

sub vcl_recv {
    set req.backend_hint = origin.backend();
    # a cache of its own in front of this one must not choose the backend or the key
    unset req.http.Proxy;

    # what orchestrators and Prometheus ask the API itself
    if (req.url ~ "^/(metrics|readyz)([?/]|$)") {
        return (synth(404));
    }

    if (req.method == "PURGE") {
        if (client.ip !~ purgers) {
            return (synth(403));
        }
        # by tag: every image that the origin delivered with it
        if (req.http.Surrogate-Key) {
            if (req.http.Surrogate-Key !~ "^[a-z]+-[0-9A-Za-z]+$") {
                return (synth(400));
            }
            ban("obj.http.Surrogate-Key ~ (^|[[:space:]])" + req.http.Surrogate-Key + "([[:space:]]|$)");
            return (synth(200));
        }
        return (purge);
    }

    if (req.url !~ "^/photos/") {
        if (req.url ~ "^/assets/" && (req.method == "GET" || req.method == "HEAD")) {
            unset req.http.Cookie;
            unset req.http.Authorization;
            return (hash);
        }
        return (pass);
    }

    if (req.method != "GET" && req.method != "HEAD") {
        return (pass);
    }
    # the spellings that the origin answers (photofeed/photo_sizes.py), signed or not (serving/image_addresses.py); all
    # others are 404 there too
    if (req.url !~ "^/photos/[0-9A-Za-z]+/(150|320|640|1080|3840)(\.(jpg|webp|avif))?(\?s=[0-9A-Za-z_-]{38})?$") {
        return (synth(404));
    }
    unset req.http.Cookie;
    unset req.http.Authorization;
    call normalise_accept;
    return (hash);
}

# The origin chooses the format of a name without extension by `Accept`. Browsers send dozens of spellings of it, and
# each would be an object of its own: keep what the origin reads (serving/api/delivery.py).
sub normalise_accept {
    if (req.url ~ "\.(jpg|webp|avif)") {
        unset req.http.Accept;
        return;
    }
    set req.http.X-Accept = std.tolower(regsuball(req.http.Accept, " ", ""));
    set req.http.Accept = "image/jpeg";
    if (req.http.X-Accept ~ "(^|,)image/webp(?![^,]*;q=0(\.0*)?(;|,|$))(;|,|$)") {
        set req.http.Accept = "image/webp," + req.http.Accept;
    }
    if (req.http.X-Accept ~ "(^|,)image/avif(?![^,]*;q=0(\.0*)?(;|,|$))(;|,|$)") {
        set req.http.Accept = "image/avif," + req.http.Accept;
    }
    unset req.http.X-Accept;
}

# Without the host: the worker `purge` calls this cache by another name than browsers do.
sub vcl_hash {
    hash_data(req.url);
    return (lookup);
}

sub vcl_backend_response {
    if (bereq.url !~ "^/(photos|assets)/") {
        return (deliver);
    }
    if (beresp.status == 200) {
        # the zoom size is most of the bytes and a hundredth of the requests: it must not evict what feeds show
        if (bereq.url ~ "/3840") {
            set beresp.storage = storage.zoom;
        } else {
            set beresp.storage = storage.feed;
        }
        # while a stand-in or an asset is fetched again, and while no API answers, what was cached is served
        if (beresp.http.Cache-Control ~ "immutable") {
            set beresp.grace = 24h;
        } elsif (beresp.http.Cache-Control ~ "private") {
            # signed for one viewer: the origin checks within a minute whether the viewer may still see it
            set beresp.ttl = 60s;
            set beresp.grace = 0s;
            set beresp.keep = 0s;
        } else {
            set beresp.grace = 10s;
        }
        unset beresp.http.Set-Cookie;
        return (deliver);
    }
    # 404 of a photo that is not ready yet: short, and never kept beyond that
    if (beresp.status == 404 || beresp.status == 410) {
        set beresp.ttl = 1s;
        set beresp.grace = 0s;
        return (deliver);
    }
    # an error must not replace a picture that is still in grace
    if (beresp.status >= 500 && bereq.is_bgfetch) {
        return (abandon);
    }
    set beresp.ttl = 0s;
    set beresp.uncacheable = true;
    return (deliver);
}

sub vcl_deliver {
    if (obj.hits > 0) {
        set resp.http.X-Cache = "hit";
    } else {
        set resp.http.X-Cache = "miss";
    }
    unset resp.http.Surrogate-Key;
    unset resp.http.X-Varnish;
    unset resp.http.Via;
}

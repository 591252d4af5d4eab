// The function of CloudFront for viewer requests: what vcl_recv and normalise_accept of varnish.vcl do.
const OPERATORS = /^\/(metrics|readyz)(\/|$)/;
const IMAGE = /^\/photos\/[0-9A-Za-z]+\/(150|320|640|1080|3840)(\.(jpg|webp|avif))?$/;
const SIGNATURE = /^[0-9A-Za-z_-]{38}$/;
const NOT_FOUND = { statusCode: 404, statusDescription: 'Not Found' };

function shows(accept, format) {
    return new RegExp('(^|,)image/' + format + '(?![^,]*;q=0(\\.0*)?(;|,|$))(;|,|$)').test(accept);
}

function spelled(request) {
    const names = Object.keys(request.querystring);
    if (!IMAGE.test(request.uri) || names.length > 1) return false;
    const signature = request.querystring.s;
    return names.length === 0 || (signature !== undefined && !signature.multiValue && SIGNATURE.test(signature.value));
}

function handler(event) {
    const request = event.request;
    if (OPERATORS.test(request.uri)) return NOT_FOUND;
    if (request.uri.indexOf('/photos/') !== 0 || (request.method !== 'GET' && request.method !== 'HEAD')) return request;
    if (!spelled(request)) return NOT_FOUND;
    const given = request.headers.accept ? request.headers.accept.value.replace(/ /g, '').toLowerCase() : '';
    delete request.headers.accept;
    if (/\.(jpg|webp|avif)$/.test(request.uri)) return request;
    const formats = ['avif', 'webp'].filter((format) => shows(given, format)).concat('jpeg');
    request.headers.accept = { value: formats.map((format) => 'image/' + format).join(',') };
    return request;
}
